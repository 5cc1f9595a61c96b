-- A client whose answer was lost sends its request again with the same Idempotency-Key. The request has its effect once.
create table request_key (
    key_hash   bytea primary key,
    body_hash  bytea not null,
    result_id  uuid not null,
    created_at timestamptz not null default now()
);

create index request_key_created on request_key (created_at);

comment on table request_key is 'Requests with an Idempotency-Key that had their effect in the last 24 hours, as digests.';
comment on column request_key.key_hash is 'SHA-256 of the key, of the route and of the user who sent it.';
comment on column request_key.body_hash is 'SHA-256 of the key and of the body. The key has 122 random bits and is not stored, so nobody can find the body by trying.';
comment on column request_key.result_id is 'What the request made.';
comment on column request_key.created_at is 'When it was sent first; deleted after 24 hours.';
