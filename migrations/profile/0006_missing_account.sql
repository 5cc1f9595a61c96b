-- A process that did not know profiles_account may have made profiles while 0003 filled it.
insert into profiles_account (user_id, version, changed_at)
select user_id, version, created_at from profiles_student
union all
select user_id, version, created_at from profiles_encadrant
on conflict (user_id) do nothing;
