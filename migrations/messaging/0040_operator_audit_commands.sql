-- What operators do with queues, with users and with several events at once is recorded, too: such a row names no event,
-- and says in `detail` what it is about.
alter table operator_audit alter column event_id drop not null;
alter table operator_audit add column detail text;
alter table operator_audit drop constraint operator_audit_verb_check;
alter table operator_audit add constraint operator_audit_verb check (verb in
    ('replay', 'discard', 'undo', 'show_payload', 'publish', 'publish_again', 'announce', 'replace_queue', 'unbind'))
    not valid;

comment on table operator_audit is 'What operators did with events, queues and users, and which payloads they looked at; kept for two years.';
comment on column operator_audit.verb is 'replay, discard, undo, or show_payload (a look at a payload that is not masked) of a parked event; publish by hand; publish_again what a service has missed; announce users; replace_queue of another system; unbind an exchange of another system.';
comment on column operator_audit.event_id is 'The event; null where the row is about no event, or about several.';
comment on column operator_audit.routing_key is 'Its routing key, because the row of the event may be gone; empty where there is no event.';
comment on column operator_audit.state is 'The state of a parked event before; otherwise empty.';
comment on column operator_audit.kind is 'The cause of a parked event before; otherwise empty.';
comment on column operator_audit.detail is 'What the row is about where it is not about a parked event.';
