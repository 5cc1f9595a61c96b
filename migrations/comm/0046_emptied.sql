-- no-transaction
-- The deletions whose text is still stored, for the purge.
create index concurrently communications_notification_restorable
    on communications_notification (deleted_at) where deleted_at is not null and title <> '';
