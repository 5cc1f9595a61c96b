-- A session hands out a new refresh token at each refresh. A client whose answer got lost asks again with the token that
-- it has: it receives the same new token, for 30 s.
alter table users_session
    add column last_used_at timestamptz not null default now(),
    add column authenticated_at timestamptz not null default now();

comment on column users_session.refresh_token_hash is 'SHA-256 of the present refresh token, in hex; the token itself is not stored.';
comment on column users_session.client_info is 'The client''s user_agent, device and address, for the list of sessions.';
comment on column users_session.last_used_at is 'When it last gave out an access token.';
comment on column users_session.authenticated_at is 'When the user last gave the password: claim auth_time.';

create table users_used_refresh_token (
    token_hash text primary key,
    session_id uuid not null references users_session on delete cascade,
    salt       bytea not null,
    used_at    timestamptz not null default now(),
    repeats    integer not null default 0
);

create index users_used_refresh_token_session on users_used_refresh_token (session_id);
create index users_used_refresh_token_used on users_used_refresh_token (used_at);

comment on table users_used_refresh_token is 'Refresh tokens that were used in the last minute.';
comment on column users_used_refresh_token.token_hash is 'SHA-256 of the token, in hex.';
comment on column users_used_refresh_token.session_id is 'The session.';
comment on column users_used_refresh_token.salt is 'HMAC-SHA-256 of it under the token is the secret of the token that follows.';
comment on column users_used_refresh_token.used_at is 'When it was used for the first time.';
comment on column users_used_refresh_token.repeats is 'How often it was used again.';
