-- no-transaction
-- The search among students.
create index concurrently profiles_student_search on profiles_student using gin (search gin_trgm_ops) where is_active;
