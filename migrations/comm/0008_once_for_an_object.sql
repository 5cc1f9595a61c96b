-- no-transaction
-- One notification of what happens once to an object.
create unique index concurrently communications_notification_once
    on communications_notification (user_id, kind, related_object_id)
    where kind in ('stage.created', 'stage.completed', 'evaluation.created');
