-- Events to publish, written in the transaction of the change that they announce.
create table outbox (
    event_id          uuid primary key,
    routing_key       text not null,
    aggregate_id      uuid not null,
    aggregate_version bigint not null,
    correlation_id    uuid not null,
    -- `json`, not `jsonb`: the relay publishes the very text that was written.
    envelope          json not null,
    created_at        timestamptz not null default now(),
    published_at      timestamptz,
    unroutable_at     timestamptz,
    claimed_until     timestamptz
);

-- What the sweep reads; it holds only what is not published yet. A cursor on ids would skip rows, because
-- transactions commit in another order than they draw their ids.
create index outbox_unpublished on outbox (created_at) where published_at is null;
-- What the purge reads.
create index outbox_published on outbox (published_at) where published_at is not null;

comment on table outbox is 'Events to publish, written in the transaction of the change that they announce.';
comment on column outbox.event_id is 'Identity of the event; consumers deduplicate by it.';
comment on column outbox.routing_key is 'AMQP routing key, such as student.created.';
comment on column outbox.aggregate_id is 'What the event is about.';
comment on column outbox.aggregate_version is 'Version of the aggregate after the change: 1, 2, 3 …';
comment on column outbox.correlation_id is 'Equal along the chain of events that one request started.';
comment on column outbox.envelope is 'The message body: payload and _meta.';
comment on column outbox.created_at is 'When the change was written.';
comment on column outbox.published_at is 'When the broker had confirmed it; null until then.';
comment on column outbox.unroutable_at is 'When the broker last returned it because no queue wanted it.';
comment on column outbox.claimed_until is 'Until then one relay has it in hand, or it waits for its next try.';
