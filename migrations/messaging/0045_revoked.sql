-- The sessions that ended before their access tokens did. Every process of an API reads the new rows once a second.
create table revoked (
    id         bigint generated always as identity primary key,
    user_id    uuid not null,
    session_id uuid,
    revoked_at timestamptz not null,
    written_by bigint not null default pg_current_xact_id()::text::bigint
);
create index revoked_written_by on revoked (written_by);
create index revoked_revoked_at on revoked (revoked_at);

comment on table revoked is 'Sessions that ended before their access tokens did; kept for 16 minutes, one more than an access token is valid.';
comment on column revoked.id is 'The row itself.';
comment on column revoked.user_id is 'The user.';
comment on column revoked.session_id is 'The session; null for all sessions of the user that began before revoked_at.';
comment on column revoked.revoked_at is 'When it was revoked.';
comment on column revoked.written_by is 'The transaction that wrote the row: transactions end in another order than they begin, so a reader asks for all that could have been open when it read before.';
