-- Texts are found by three letters in a row of them. PostgreSQL trusts this extension: the owner of a database may make it.
create extension if not exists pg_trgm;
