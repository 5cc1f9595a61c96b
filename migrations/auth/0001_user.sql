-- Accounts.
create table users_user (
    id            uuid primary key,
    email         text not null,
    password_hash text not null,
    first_name    text not null default '',
    last_name     text not null default '',
    phone         text,
    role          text not null check (role in ('student', 'encadrant', 'admin')),
    is_active     boolean not null default true,
    locale        text not null default 'en' check (locale in ('en', 'fr')),
    profile_id    uuid,
    version       bigint not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);

create unique index users_user_email on users_user (lower(email));

comment on table users_user is 'Accounts.';
comment on column users_user.id is 'The account; UUIDv7. The subject of its tokens.';
comment on column users_user.email is 'In lower case; one account each.';
comment on column users_user.password_hash is 'argon2id, as a PHC string.';
comment on column users_user.first_name is 'Empty when not given.';
comment on column users_user.last_name is 'Empty when not given.';
comment on column users_user.phone is 'As the user wrote it.';
comment on column users_user.role is 'student, encadrant or admin.';
comment on column users_user.is_active is 'False: cannot log in.';
comment on column users_user.locale is 'Language of texts for this user.';
comment on column users_user.profile_id is 'The profile at profile-service, once it is known.';
comment on column users_user.version is 'Raised by every change that is announced: the aggregate_version of auth.user.* events.';
comment on column users_user.created_at is 'When the account was made.';
comment on column users_user.updated_at is 'When it last changed.';
