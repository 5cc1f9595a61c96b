-- no-transaction
-- The inbox, newest first. It replaces the index by created_at.
create index concurrently communications_notification_story
    on communications_notification (user_id, coalesce(occurred_at, created_at) desc, id desc);
