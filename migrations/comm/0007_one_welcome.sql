-- no-transaction
-- One welcome for each user and role.
create unique index concurrently communications_notification_one_welcome
    on communications_notification (user_id, related_object_type) where kind = 'welcome';
