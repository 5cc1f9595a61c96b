-- no-transaction
-- The deletions, the oldest first, for the purge. It keeps the trace of a welcome, so that nobody is welcomed again.
create index concurrently communications_notification_gone
    on communications_notification (deleted_at) where deleted_at is not null and kind <> 'welcome';
