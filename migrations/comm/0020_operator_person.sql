-- What `medtrack trace` asks about a person: names, roles, and the ids by which other services know the user. The columns
-- are the same in every service's database.
create or replace view operator_subject as
select user_id, 'student_id' as kind, student_id::text as value, student_id as id from communications_recipient
where student_id is not null and not erased;

create or replace view operator_effect as
select source_event, created_at as happened_at, kind, 'notification written (' || kind || ')' as description,
       user_id, id as notification_id, coalesce(occurred_at, created_at) as occurred_at, title, read_at
from communications_notification;

comment on view operator_subject is 'For operators: how the users of this service can be named.';
comment on column operator_subject.kind is 'What value is: email, name, role, student_id or encadrant_id.';
comment on column operator_subject.value is 'What names the user; an e-mail is in lower case.';
comment on column operator_subject.id is 'The value of a student_id or encadrant_id, as an id.';
comment on view operator_effect is 'For operators: what events caused at this service. No title names a person.';
comment on column operator_effect.user_id is 'The user whom it concerns.';
comment on column operator_effect.notification_id is 'The notification that was written.';
comment on column operator_effect.occurred_at is 'When it happened what the notification is about.';
comment on column operator_effect.title is 'The title of the notification.';
comment on column operator_effect.read_at is 'When the user read the notification; null until then.';
