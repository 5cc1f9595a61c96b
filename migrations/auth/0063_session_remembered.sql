-- The cookie of a session that is remembered outlives the browser.
alter table users_session add column is_remembered boolean not null default false;

comment on column users_session.is_remembered is 'Whether the browser keeps the cookie of the session when it ends.';
