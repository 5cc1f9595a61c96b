-- Keys that access tokens are signed with; replicas share them.
create table users_signing_key (
    kid         text primary key,
    private_key bytea not null,
    created_at  timestamptz not null default now(),
    retired_at  timestamptz
);

comment on table users_signing_key is 'Keys that access tokens are signed with; replicas share them.';
comment on column users_signing_key.kid is 'Claim kid of the tokens.';
comment on column users_signing_key.private_key is 'Ed25519, PKCS#8 DER.';
comment on column users_signing_key.created_at is 'It signs a minute later, when all replicas have published it.';
comment on column users_signing_key.retired_at is 'From then on it signs no more; it stays published for an hour.';
