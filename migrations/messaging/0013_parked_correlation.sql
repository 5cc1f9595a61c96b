-- no-transaction
create index concurrently parked_event_correlation on parked_event (correlation_id);
