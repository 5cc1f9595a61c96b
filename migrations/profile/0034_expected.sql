-- Profiles whose users are being created: their own fields, until auth.user.created makes the profile.
create table profiles_expected (
    user_id      uuid primary key,
    created_by   uuid not null,
    email        text not null,
    role         text not null,
    fields       jsonb not null,
    is_confirmed boolean not null default false,
    created_at   timestamptz not null default now(),
    unique (created_by, email, role)
);

comment on table profiles_expected is 'Own fields of users who are being created; the event of the user takes them.';
comment on column profiles_expected.user_id is 'Drawn here, before auth-service is asked to create the user.';
comment on column profiles_expected.created_by is 'The user who sends the request; a repeat of it finds the row.';
comment on column profiles_expected.email is 'In lower case.';
comment on column profiles_expected.role is 'student or encadrant.';
comment on column profiles_expected.fields is 'The own fields of the profile.';
comment on column profiles_expected.is_confirmed is 'True: auth-service has created the user. Other rows are deleted after an hour.';
comment on column profiles_expected.created_at is 'When the request was last sent.';
