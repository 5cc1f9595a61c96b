-- The role of each user: it decides which profile counts. Null where a version wrote the row that did not record it;
-- then the profile that is there says it.
alter table profiles_account add column role text;

comment on column profiles_account.role is 'student, encadrant or admin; null: erased, or recorded by a version that did not record roles.';

create or replace view operator_user as
select known.user_id, known.version, known.erased,
       exists (select from profiles_student where profiles_student.user_id = known.user_id and is_active)
       or exists (select from profiles_encadrant where profiles_encadrant.user_id = known.user_id and is_active)
         as complete,
       known.changed_at
from profiles_account as known;

comment on column operator_user.complete is 'True: the user has a profile of the role that the user has now.';
