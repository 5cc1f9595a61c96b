-- Failed log-ins are counted for each client of an account, so that a stranger who guesses does not lock the owner out.
-- Processes of the version before still count in users_login_failure and users_login_address; the purge empties both.
create table users_login_client (
    account      text not null,
    client       text not null,
    failures     double precision not null,
    locked_until timestamptz,
    last_at      timestamptz not null default now(),
    primary key (account, client)
);

create index users_login_client_last on users_login_client (last_at);

comment on table users_login_client is 'Tries to log in that failed or are being checked, for any e-mail, with or without an account.';
comment on column users_login_client.account is 'HMAC-SHA-256 of the e-mail in lower case, in hex; the key is in users_login_secret.';
comment on column users_login_client.client is 'The same of the device that logged in to this account before, of the session of the access token, or of the address (of IPv6, of its /64).';
comment on column users_login_client.failures is 'How many at last_at; halves every 15 minutes. A log-in that works removes the row.';
comment on column users_login_client.locked_until is 'Until then every try of this client is refused unseen.';
comment on column users_login_client.last_at is 'The last failure; forgotten after three hours.';

-- What somebody may do a number of times in a while: fail, register, cause mails.
create table users_budget (
    subject   text not null,
    purpose   text not null,
    remaining integer not null,
    ends_at   timestamptz not null,
    primary key (subject, purpose)
);

create index users_budget_ends on users_budget (ends_at);

comment on table users_budget is 'How often an account or an address may still do what is limited.';
comment on column users_budget.subject is 'HMAC-SHA-256 of the e-mail or of the address (of IPv6, of its /64), in hex; the key is in users_login_secret.';
comment on column users_budget.purpose is 'What is limited.';
comment on column users_budget.remaining is 'How often until ends_at.';
comment on column users_budget.ends_at is 'Then the budget is full again, and the row is forgotten.';

comment on table users_login_failure is 'Of the version before: what users_login_client counts now.';
comment on table users_login_address is 'Of the version before: what users_budget counts now.';
comment on table users_login_secret is 'The key of the digests in users_login_client and users_budget, and of the tokens by which devices are recognised; replicas share it.';
