-- Students, made from auth.user.created.
create table profiles_student (
    id         uuid primary key,
    user_id    uuid not null unique,
    email      text not null,
    first_name text not null default '',
    last_name  text not null default '',
    phone      text,
    version    bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index profiles_student_email on profiles_student (email);

comment on table profiles_student is 'Students, made from auth.user.created.';
comment on column profiles_student.id is 'The profile; UUIDv7.';
comment on column profiles_student.user_id is 'The account at auth-service; one profile each.';
comment on column profiles_student.email is 'Copy of the account''s e-mail, in lower case.';
comment on column profiles_student.first_name is 'Empty when not known.';
comment on column profiles_student.last_name is 'Empty when not known.';
comment on column profiles_student.phone is 'As the user wrote it.';
comment on column profiles_student.version is 'Raised by every change: the aggregate_version of student.* events.';
comment on column profiles_student.created_at is 'When the profile was made.';
comment on column profiles_student.updated_at is 'When it last changed.';
