-- no-transaction
create unique index concurrently profiles_student_student_number on profiles_student (student_number);
