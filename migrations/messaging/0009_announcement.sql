-- What an operator asks a service to announce again, from its present state. The service's consumer process takes the
-- rows and writes the ordinary events.
create table announcement (
    aggregate_id uuid primary key,
    at_least     bigint not null default 0,
    requested_at timestamptz not null default now()
);

comment on table announcement is 'Aggregates whose present state is announced again; a row is deleted in the transaction that writes the events.';
comment on column announcement.aggregate_id is 'The aggregate: a user at auth-service, the user of a profile at profile-service.';
comment on column announcement.at_least is 'The announced version is no lower: some reader has recorded one that the owner does not know any more.';
comment on column announcement.requested_at is 'When an operator asked for it.';

do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select, insert, update, delete on announcement to operator;
    end if;
end
$$;
