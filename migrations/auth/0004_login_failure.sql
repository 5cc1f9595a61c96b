-- Failed log-ins in a row, for any address, with or without an account: a throttle must not tell which exist.
create table users_login_failure (
    email_hash   text primary key,
    failures     integer not null,
    locked_until timestamptz,
    last_at      timestamptz not null default now()
);

create index users_login_failure_last on users_login_failure (last_at);

comment on table users_login_failure is 'Failed log-ins in a row, for any address, with or without an account.';
comment on column users_login_failure.email_hash is 'SHA-256 of the e-mail in lower case, in hex.';
comment on column users_login_failure.failures is 'How many in a row; a log-in that works removes the row.';
comment on column users_login_failure.locked_until is 'Until then every try is refused unseen.';
comment on column users_login_failure.last_at is 'The last failure; forgotten after a day.';
