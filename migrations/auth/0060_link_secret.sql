-- The secrets of links in mails, as digests.
create table users_link_secret (
    secret_hash text primary key,
    user_id     uuid not null,
    purpose     text not null check (purpose in ('verify', 'reset', 'restore')),
    email       text not null,
    created_at  timestamptz not null default clock_timestamp(),
    expires_at  timestamptz not null
);
create index users_link_secret_user on users_link_secret (user_id, purpose, created_at);
create index users_link_secret_expires on users_link_secret (expires_at);

comment on table users_link_secret is 'What the links in mails are redeemed with; a user has at most three for each purpose, and each works once.';
comment on column users_link_secret.secret_hash is 'SHA-256 of the secret, in hex; the secret is in the mail only.';
comment on column users_link_secret.user_id is 'The user. No foreign key: a mail that is prepared would wait for the deletion of the user, which waits for the mail. The deletion of the user deletes the row.';
comment on column users_link_secret.purpose is 'verify: shows that the e-mail is the own. reset: sets a password. restore: takes a change of the e-mail back.';
comment on column users_link_secret.email is 'The address that the mail went to.';
comment on column users_link_secret.created_at is 'When it was drawn.';
comment on column users_link_secret.expires_at is 'Until when it can be redeemed.';
