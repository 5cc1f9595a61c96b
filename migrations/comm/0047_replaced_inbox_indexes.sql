-- Indexes that the ones above replace. Statements of the version before say no condition of theirs, so they read the
-- index by position, and are slower until they are gone.
drop index communications_notification_story;
drop index communications_notification_unread;
