-- What is told once: the welcome of a user in a role, and what happens once to an object. A publisher's retry under a
-- new event id, or a profile that was made again in a restored database, tells nobody twice. Copies that were told
-- before are removed, but for the first.
do $$ begin lock table communications_notification in share row exclusive mode; end $$;

delete from communications_notification as later
using communications_notification as first
where later.kind = 'welcome' and first.kind = 'welcome'
  and later.user_id = first.user_id
  and later.related_object_type is not distinct from first.related_object_type
  and (later.created_at, later.id) > (first.created_at, first.id);

delete from communications_notification as later
using communications_notification as first
where later.kind in ('stage.created', 'stage.completed', 'evaluation.created') and first.kind = later.kind
  and later.user_id = first.user_id and later.related_object_id = first.related_object_id
  and (later.created_at, later.id) > (first.created_at, first.id);

create unique index communications_notification_one_welcome
    on communications_notification (user_id, related_object_type) where kind = 'welcome';
create unique index communications_notification_once
    on communications_notification (user_id, kind, related_object_id)
    where kind in ('stage.created', 'stage.completed', 'evaluation.created');
drop index communications_notification_welcome;
