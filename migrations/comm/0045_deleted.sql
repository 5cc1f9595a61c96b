-- no-transaction
-- The deletions, the oldest first, for the purge.
create index concurrently communications_notification_gone
    on communications_notification (deleted_at) where deleted_at is not null;
