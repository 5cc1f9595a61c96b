-- no-transaction
-- What a user has archived, newest first.
create index concurrently communications_notification_archived
    on communications_notification (user_id, coalesce(occurred_at, created_at) desc, id desc)
    where archived_at is not null and deleted_at is null;
