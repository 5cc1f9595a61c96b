-- Who can be told something: events about internships name a student, notifications a user.
create table communications_recipient (
    user_id    uuid primary key,
    student_id uuid,
    erased     boolean not null default false
);

-- Finds the user of a student.
create index communications_recipient_student on communications_recipient (student_id) where student_id is not null;

comment on table communications_recipient is 'Who can be told something: events about internships name a student, notifications a user.';
comment on column communications_recipient.user_id is 'The account at auth-service.';
comment on column communications_recipient.student_id is 'The student profile at profile-service; null for others, and until it is known.';
comment on column communications_recipient.erased is 'True: deleted, and told nothing any more. The row outlives the notifications, so that a late event tells nobody.';

insert into communications_recipient (user_id, student_id)
select user_id, (min(related_object_id::text) filter (where related_object_type = 'student'))::uuid
from communications_notification where kind = 'welcome' group by user_id;
