-- When it happened what a user is told: an event that was held up is told late, and belongs where it happened. Null in
-- rows of before and of older processes: then it counts as written when it happened. Each index below blocks writes
-- while it is built, some seconds for a million rows; consumers hold their events meanwhile.
alter table communications_notification add column occurred_at timestamptz;

-- The inbox, newest first; it replaces the one by created_at.
create index communications_notification_story
    on communications_notification (user_id, coalesce(occurred_at, created_at) desc, id desc);
drop index communications_notification_inbox;

comment on column communications_notification.occurred_at is 'When it happened; null when only created_at is known.';
