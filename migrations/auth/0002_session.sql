-- Log-ins. A session has one refresh token at a time.
create table users_session (
    id                 uuid primary key,
    user_id            uuid not null references users_user on delete cascade,
    refresh_token_hash text not null unique,
    client_info        jsonb not null default '{}',
    issued_at          timestamptz not null default now(),
    expires_at         timestamptz not null,
    revoked            boolean not null default false
);

create index users_session_user on users_session (user_id);

comment on table users_session is 'Log-ins. A session has one refresh token at a time.';
comment on column users_session.id is 'The session; UUIDv7. Claim sid of its access tokens.';
comment on column users_session.user_id is 'Whose it is.';
comment on column users_session.refresh_token_hash is 'SHA-256 of the refresh token, in hex; the token itself is not kept.';
comment on column users_session.client_info is 'The client''s user_agent, for the list of sessions.';
comment on column users_session.issued_at is 'When it began.';
comment on column users_session.expires_at is 'When it ends at the latest.';
comment on column users_session.revoked is 'True: ended early.';
