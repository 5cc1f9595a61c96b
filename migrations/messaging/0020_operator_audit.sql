-- What operators did with events, and which payloads they looked at. Each row is written in the transaction of the change.
create table operator_audit (
    id          bigint generated always as identity primary key,
    at          timestamptz not null default now(),
    person      text not null check (person <> ''),
    verb        text not null check (verb in ('replay', 'discard', 'undo', 'show_payload')),
    why         text,
    event_id    uuid not null,
    routing_key text not null,
    state       text not null,
    kind        text not null
);
create index operator_audit_event on operator_audit (event_id);
create index operator_audit_at on operator_audit (at);

comment on table operator_audit is 'What operators did with parked events, and which payloads they looked at; kept for two years.';
comment on column operator_audit.id is 'The order in which the rows were written.';
comment on column operator_audit.at is 'When it was done.';
comment on column operator_audit.person is 'Who did it: --by, else MEDTRACK_OPERATOR, else the login that started the command.';
comment on column operator_audit.verb is 'replay, discard, undo, or show_payload: a look at a payload that is not masked.';
comment on column operator_audit.why is 'The reason that the person gave.';
comment on column operator_audit.event_id is 'The parked event.';
comment on column operator_audit.routing_key is 'Its routing key: the row of the event may be gone.';
comment on column operator_audit.state is 'Its state before.';
comment on column operator_audit.kind is 'Its cause before.';

-- An operator can add rows and read them. No right to change or delete them: the purge runs with the login of the service.
do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select, insert on operator_audit to operator;
    end if;
end
$$;
