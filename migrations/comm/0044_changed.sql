-- no-transaction
-- What has changed since a position.
create index concurrently communications_notification_changed
    on communications_notification (user_id, changed_seq);
