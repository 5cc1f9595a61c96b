-- What users are told.
create table communications_notification (
    id                  uuid primary key,
    user_id             uuid not null,
    kind                text not null,
    source_event        uuid not null,
    type                text not null check (type in ('email', 'push', 'system')),
    title               text not null,
    content             text not null,
    related_object_type text,
    related_object_id   uuid,
    status              text not null default 'sent' check (status in ('pending', 'sent', 'failed')),
    attempts            integer not null default 0,
    last_error          text,
    metadata            jsonb not null default '{}',
    created_at          timestamptz not null default now(),
    sent_at             timestamptz default now(),
    read_at             timestamptz,
    unique (user_id, kind, source_event)
);

-- One welcome for each profile, whatever event announces it.
create unique index communications_notification_welcome
    on communications_notification (related_object_id) where kind = 'welcome';
-- The inbox, newest first.
create index communications_notification_inbox on communications_notification (user_id, created_at desc, id desc);
-- The number on the bell.
create index communications_notification_unread on communications_notification (user_id) where read_at is null;

comment on table communications_notification is 'What users are told.';
comment on column communications_notification.id is 'The notification; UUIDv7.';
comment on column communications_notification.user_id is 'The account at auth-service that is told.';
comment on column communications_notification.kind is 'Which text it is, such as welcome; with user_id and source_event it is told once.';
comment on column communications_notification.source_event is 'The event that led to it.';
comment on column communications_notification.type is 'Channel: email, push or system (the inbox).';
comment on column communications_notification.title is 'One line.';
comment on column communications_notification.content is 'The text.';
comment on column communications_notification.related_object_type is 'What it is about, such as student.';
comment on column communications_notification.related_object_id is 'The id of what it is about.';
comment on column communications_notification.status is 'pending, sent or failed; a system notice is sent by standing here.';
comment on column communications_notification.attempts is 'Failed deliveries over its channel.';
comment on column communications_notification.last_error is 'The last failed delivery''s cause.';
comment on column communications_notification.metadata is 'For programs: ids, and the event.';
comment on column communications_notification.created_at is 'When it was written.';
comment on column communications_notification.sent_at is 'When it reached its channel.';
comment on column communications_notification.read_at is 'When the user had read it; null until then.';
