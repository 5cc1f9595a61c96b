-- Indexes that the ones above replace.
drop index communications_notification_inbox;
drop index communications_notification_welcome;
