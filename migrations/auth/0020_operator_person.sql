-- What `medtrack trace` asks about a person: names, roles, and the ids by which other services know the user. The columns
-- are the same in every service's database.
create or replace view operator_subject as
select id as user_id, 'email' as kind, lower(email) as value, null::uuid as id from users_user
union all
select id, 'name', trim(first_name || ' ' || last_name), null from users_user
union all
select id, 'role', role, null from users_user;

-- No event causes anything here that its chain does not show.
create or replace view operator_effect as
select null::uuid as source_event, null::timestamptz as happened_at, null::text as kind, null::text as description,
       null::uuid as user_id, null::uuid as notification_id, null::timestamptz as occurred_at, null::text as title,
       null::timestamptz as read_at
where false;

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
