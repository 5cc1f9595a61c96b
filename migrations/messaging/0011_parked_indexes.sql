-- The persons that the events name which were parked before. The trigger of the migration before this one notes the rest.
insert into parked_person (person_id, event_id)
select person_id, event_id from parked_event, persons_in(body) as person_id
on conflict do nothing;

-- What was released, in the order of the events' own times.
create index parked_event_released on parked_event (occurred_at) where released;
-- What is counted: how many events wait or are dead, and since when.
create index parked_event_open on parked_event (state, first_at) where kind not in ('erased', 'unknown_key');
-- What the purge reads.
create index parked_event_dead on parked_event (last_at) where state = 'dead' and kind <> 'erased';
create index parked_event_erased on parked_event (last_at) where state = 'dead' and kind = 'erased';
-- What limits the events that have no handler.
create index parked_event_unknown on parked_event (routing_key, source) where kind = 'unknown_key';
