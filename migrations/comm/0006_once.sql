-- Each user is welcomed once in a role, and notified once of what happens once to an object. A publisher's retry under a
-- new event id, or a profile that was made again in a restored database, adds nothing. Of copies that were written
-- before, the first one stays.

-- safe: it reads every row, and locks the copies only
delete from communications_notification as later
using communications_notification as first
where later.kind = 'welcome' and first.kind = 'welcome'
  and later.user_id = first.user_id
  and later.related_object_type is not distinct from first.related_object_type
  and (later.created_at, later.id) > (first.created_at, first.id);

-- safe: it reads every row, and locks the copies only
delete from communications_notification as later
using communications_notification as first
where later.kind in ('stage.created', 'stage.completed', 'evaluation.created') and first.kind = later.kind
  and later.user_id = first.user_id and later.related_object_id = first.related_object_id
  and (later.created_at, later.id) > (first.created_at, first.id);
