-- no-transaction
-- What the trace of a chain reads. Only published rows: their entry is made when the row is marked, and not twice.
create index concurrently outbox_correlation on outbox (correlation_id) where published_at is not null;
