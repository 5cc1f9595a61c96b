-- no-transaction
-- The list of students in the order of their creation, and how many there are.
create index concurrently profiles_student_created on profiles_student (created_at, id) where is_active;
