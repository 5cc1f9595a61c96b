-- What a profile holds beside the person: the own fields, which only profile-service writes.
alter table profiles_student
    add column cin text,
    add column student_number text,
    add column date_of_birth date,
    add column university text,
    add column program text,
    add column year_level integer,
    add column metadata jsonb not null default '{}',
    add column is_active boolean not null default true;

alter table profiles_encadrant
    add column cin text,
    add column establishment_id uuid,
    add column service_id uuid,
    add column position text,
    add column metadata jsonb not null default '{}',
    add column is_active boolean not null default true;

comment on column profiles_student.cin is 'Number of the identity card; unique, null when not known.';
comment on column profiles_student.student_number is 'Number at the university; unique, null when not known.';
comment on column profiles_student.date_of_birth is 'Null when not known.';
comment on column profiles_student.university is 'Null when not known.';
comment on column profiles_student.program is 'Course of study; null when not known.';
comment on column profiles_student.year_level is 'Year of study; null when not known.';
comment on column profiles_student.metadata is 'A JSON object of the clients; no service reads it.';
comment on column profiles_student.is_active is 'False: the user has another role now. The profile is in no list, and returns with the role.';
comment on column profiles_encadrant.cin is 'Number of the identity card; unique, null when not known.';
comment on column profiles_encadrant.establishment_id is 'Where the encadrant works; null when not known.';
comment on column profiles_encadrant.service_id is 'The hospital service of the encadrant; null when not known.';
comment on column profiles_encadrant.position is 'Null when not known.';
comment on column profiles_encadrant.metadata is 'A JSON object of the clients; no service reads it.';
comment on column profiles_encadrant.is_active is 'False: the user has another role now. The profile is in no list, and returns with the role.';
