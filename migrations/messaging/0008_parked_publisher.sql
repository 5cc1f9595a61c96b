-- What computes the id of a foreign publisher's message again, and what an operator decided.
alter table parked_event
    add column app_id    text,
    add column confirmed boolean not null default false;

comment on column parked_event.event_id is 'Identity of the event; for a foreign publisher or an unreadable message a digest.';
comment on column parked_event.app_id is 'The AMQP app_id it was published with.';
comment on column parked_event.confirmed is 'True when an operator had it replayed: a handler may then do what it refuses of its own accord.';
