-- no-transaction
-- The list of students by last name.
create index concurrently profiles_student_last_name on profiles_student (lower(last_name), created_at, id) where is_active;
