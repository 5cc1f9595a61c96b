-- Failures fade, so they are no whole number any more; and a digest of an e-mail must not be found by trying e-mails.
-- Both tables hold the failures of a day at most. Processes of the version before count on with their own digests; the
-- purge removes them.
delete from users_login_failure;
delete from users_login_address;
alter table users_login_failure alter column failures type double precision;

comment on table users_login_failure is 'Tries to log in that failed or are being checked, for any e-mail, with or without an account.';
comment on column users_login_failure.email_hash is 'HMAC-SHA-256 of the e-mail in lower case, in hex; the key is in users_login_secret.';
comment on column users_login_failure.failures is 'How many at last_at; halves every 15 minutes. A log-in that works removes the row.';
comment on column users_login_address.address_hash is 'HMAC-SHA-256 of the address in hex; of an IPv6 address, of its /64.';

-- The key of these digests; replicas share it.
create table users_login_secret (
    single boolean primary key default true check (single),
    secret bytea not null
);

comment on table users_login_secret is 'The key of the digests in users_login_failure and users_login_address; replicas share it.';
comment on column users_login_secret.single is 'There is one row.';
comment on column users_login_secret.secret is '256 bits, 244 of them random.';

insert into users_login_secret (secret)
select decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');
