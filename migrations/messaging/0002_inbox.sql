-- Events that this service has taken responsibility for: handled, or parked.
create table inbox (
    event_id    uuid primary key,
    routing_key text not null,
    received_at timestamptz not null default now()
);

-- What the purge reads.
create index inbox_received on inbox (received_at);

comment on table inbox is 'Events that this service has taken responsibility for: handled, or parked.';
comment on column inbox.event_id is 'Identity of the event; written in the transaction of its effect.';
comment on column inbox.routing_key is 'AMQP routing key it arrived with.';
comment on column inbox.received_at is 'When it was taken.';
