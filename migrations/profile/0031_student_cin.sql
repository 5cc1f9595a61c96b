-- no-transaction
create unique index concurrently profiles_student_cin on profiles_student (cin);
