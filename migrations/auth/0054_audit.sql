-- Who did what to whom. The rows stay for good, so they hold ids only; what says more about a person stands in a table of
-- its own, from which it can be deleted.
create table users_audit (
    id      uuid primary key,
    at      timestamptz not null default now(),
    actor   uuid,
    subject uuid,
    action  text not null,
    outcome text not null check (outcome in ('done', 'failed'))
);

create index users_audit_at on users_audit (at, id);
create index users_audit_actor on users_audit (actor, at, id) where actor is not null;
create index users_audit_subject on users_audit (subject, at, id) where subject is not null;
create index users_audit_action on users_audit (action, at, id);

create table users_audit_detail (
    audit_id uuid primary key references users_audit,
    at       timestamptz not null default now(),
    email    text,
    address  text,
    device   text
);

create index users_audit_detail_at on users_audit_detail (at);
create index users_audit_detail_email on users_audit_detail (email) where email is not null;

create function users_audit_append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$;

create trigger append_only before update or delete or truncate on users_audit
    for each statement execute function users_audit_append_only();
create trigger append_only before update on users_audit_detail
    for each statement execute function users_audit_append_only();

comment on table users_audit is 'Who did what to whom. Append-only.';
comment on column users_audit.id is 'The row; UUIDv7.';
comment on column users_audit.at is 'When it was done.';
comment on column users_audit.actor is 'The user who did it; null for a command on the server, and for a log-in that failed.';
comment on column users_audit.subject is 'The user to whom it was done; null where there is none.';
comment on column users_audit.action is 'What was done, such as login or change_role.';
comment on column users_audit.outcome is 'done or failed.';
comment on table users_audit_detail is 'What an audit row says about a person. Deleted with the person, and after a year.';
comment on column users_audit_detail.audit_id is 'The audit row.';
comment on column users_audit_detail.at is 'When it was done.';
comment on column users_audit_detail.email is 'The e-mail that it was about, in lower case.';
comment on column users_audit_detail.address is 'The address of the client.';
comment on column users_audit_detail.device is 'What the client says about itself: its User-Agent.';
comment on function users_audit_append_only is 'Refuses changes.';
