-- A discarded event keeps its row, and for seven days its body, so that a person can bring it back.
alter table parked_event
    add column discarded_at timestamptz,
    drop constraint parked_event_state_check,
    add constraint parked_event_state_check check (state in ('waiting', 'dead', 'discarded'));
-- What the purge reads.
create index parked_event_discarded on parked_event (discarded_at) where state = 'discarded' and kind <> 'erased';
create index parked_event_discarded_erased on parked_event (last_at) where state = 'discarded' and kind = 'erased';

comment on column parked_event.state is 'waiting: will be tried again at due_at. dead: needs a person; see kind and reason. discarded: a person decided that it is not handled.';
comment on column parked_event.discarded_at is 'When a person discarded it; null unless discarded.';
