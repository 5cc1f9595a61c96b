-- no-transaction
-- What a user has not read, newest first; also counts it for a user whose inbox has no row yet.
create index concurrently communications_notification_bell
    on communications_notification (user_id, coalesce(occurred_at, created_at) desc, id desc)
    where read_at is null and archived_at is null and deleted_at is null;
