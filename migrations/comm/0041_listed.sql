-- no-transaction
-- The inbox, newest first. With the index of archived notifications it replaces the index of all.
create index concurrently communications_notification_listed
    on communications_notification (user_id, coalesce(occurred_at, created_at) desc, id desc)
    where archived_at is null and deleted_at is null;
