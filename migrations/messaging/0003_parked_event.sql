-- Events that are not done: the only place to look for them.
create table parked_event (
    event_id       uuid primary key,
    state          text not null check (state in ('waiting', 'dead')),
    queue          text not null,
    exchange       text not null,
    routing_key    text not null,
    message_id     text,
    correlation_id uuid,
    body           bytea not null,
    admitted       boolean not null,
    kind           text not null,
    reason         text not null,
    waits_for      text,
    attempts       integer not null default 0,
    deliveries     integer not null default 1,
    due_at         timestamptz,
    first_at       timestamptz not null default now(),
    last_at        timestamptz not null default now(),
    check ((state = 'waiting') = (due_at is not null))
);

-- What the retry loop reads.
create index parked_event_due on parked_event (due_at) where state = 'waiting';
-- What releases an event when the thing that it waits for arrives.
create index parked_event_waits_for on parked_event (waits_for) where waits_for is not null;

comment on table parked_event is 'Events that are not done: the only place to look for them.';
comment on column parked_event.event_id is 'Identity of the event; for an unreadable message the AMQP message_id or a digest of it.';
comment on column parked_event.state is 'waiting: will be tried again at due_at. dead: needs a person; see kind and reason.';
comment on column parked_event.queue is 'The queue it came from.';
comment on column parked_event.exchange is 'The exchange it was published to.';
comment on column parked_event.routing_key is 'The routing key it was published with.';
comment on column parked_event.message_id is 'The AMQP message_id it was published with.';
comment on column parked_event.correlation_id is 'Correlation id, where it could be read.';
comment on column parked_event.body is 'The message body, byte for byte.';
comment on column parked_event.admitted is 'True when the inbox holds event_id, so that this row alone owns the event.';
comment on column parked_event.kind is 'The cause in one word, to group by.';
comment on column parked_event.reason is 'The cause, with its chain of errors.';
comment on column parked_event.waits_for is 'What must arrive first, such as student:<id>; null when it waits only for time.';
comment on column parked_event.attempts is 'How often handling was tried since it was parked or replayed.';
comment on column parked_event.deliveries is 'How often the same message was delivered.';
comment on column parked_event.due_at is 'When it is tried again; null when dead.';
comment on column parked_event.first_at is 'When it was parked.';
comment on column parked_event.last_at is 'When it was last delivered or tried.';
