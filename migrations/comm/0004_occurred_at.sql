-- When it happened what a notification is about: the notification of an event that was held up is written late, and
-- belongs where the event happened. Null in older rows and in rows of older processes: then `created_at` counts.
alter table communications_notification add column occurred_at timestamptz;

comment on column communications_notification.occurred_at is 'When it happened; null when only created_at is known.';
