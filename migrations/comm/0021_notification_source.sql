-- no-transaction
-- What an event led to. It replaces the unique constraint of the same columns in another order, so that a notification
-- costs no entry more.
create unique index concurrently communications_notification_source
    on communications_notification (source_event, kind, user_id);
