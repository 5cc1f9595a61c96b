-- Failed log-ins from one client address: guesses at many accounts are slowed down, too. Much is allowed, for a whole
-- hospital may come from one address, and the old front end logs everybody in from one.
create table users_login_address (
    address_hash text primary key,
    failures     integer not null,
    since        timestamptz not null default now()
);

create index users_login_address_since on users_login_address (since);

comment on table users_login_address is 'Failed log-ins from one client address, within a minute.';
comment on column users_login_address.address_hash is 'SHA-256 of the address in hex; of an IPv6 address, of its /64.';
comment on column users_login_address.failures is 'How many since then.';
comment on column users_login_address.since is 'When the minute began; forgotten after a day.';
