-- The index communications_notification_source replaces it.
alter table communications_notification
    drop constraint communications_notification_user_id_kind_source_event_key;
