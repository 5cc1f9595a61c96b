-- Who may erase a recipient: a publisher that counts no versions cannot erase one of whom another has spoken that does.
-- The default is that of rows of before and of older processes.
alter table communications_recipient add column version bigint not null default 1;

-- A process that did not know this table may have written welcomes while 0002 filled it.
insert into communications_recipient (user_id, student_id)
select user_id, (min(related_object_id::text) filter (where related_object_type = 'student'))::uuid
from communications_notification where kind = 'welcome' group by user_id
on conflict (user_id) do update set student_id = excluded.student_id
    where communications_recipient.student_id is null and not communications_recipient.erased;

comment on column communications_recipient.version is 'The newest version of the profile that was heard of; 0 when only publishers that count no versions have spoken; the largest number when the user was deleted for good.';
