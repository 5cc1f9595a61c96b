-- no-transaction
create index concurrently outbox_text on outbox (aggregate_id) where published_at is not null and envelope is not null;
