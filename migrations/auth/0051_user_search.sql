-- no-transaction
-- What administrators search users by. The queries of store/search.rs have the same expression.
create index concurrently users_user_search on users_user
    using gin ((' ' || lower(email || ' ' || first_name || ' ' || last_name)) gin_trgm_ops);
