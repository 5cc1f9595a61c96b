-- Encadrants (supervisors), made from auth.user.created.
create table profiles_encadrant (
    id         uuid primary key,
    user_id    uuid not null unique,
    email      text not null,
    first_name text not null default '',
    last_name  text not null default '',
    phone      text,
    speciality text,
    version    bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create index profiles_encadrant_email on profiles_encadrant (email);

comment on table profiles_encadrant is 'Encadrants (supervisors), made from auth.user.created.';
comment on column profiles_encadrant.id is 'The profile; UUIDv7.';
comment on column profiles_encadrant.user_id is 'The account at auth-service; one profile each.';
comment on column profiles_encadrant.email is 'Copy of the account''s e-mail, in lower case.';
comment on column profiles_encadrant.first_name is 'Empty when not known.';
comment on column profiles_encadrant.last_name is 'Empty when not known.';
comment on column profiles_encadrant.phone is 'As the user wrote it.';
comment on column profiles_encadrant.speciality is 'Medical specialty; null until known. Events call it specialization.';
comment on column profiles_encadrant.version is 'Raised by every change: the aggregate_version of encadrant.* events.';
comment on column profiles_encadrant.created_at is 'When the profile was made.';
comment on column profiles_encadrant.updated_at is 'When it last changed.';
