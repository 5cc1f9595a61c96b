-- no-transaction
create index concurrently parked_event_soon on parked_event (due_at)
    where state = 'waiting' and (waits_for is null or due_at - waiting_since < interval '5 seconds');
