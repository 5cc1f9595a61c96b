-- What operators may read of this service. The views have the same columns in every service's database, so that one
-- query reads them all; a service adds rows, never columns of its own.
create view operator_subject as
select user_id, 'email' as kind, email as value from profiles_student
union all
select user_id, 'student_id', id::text from profiles_student
union all
select user_id, 'email', email from profiles_encadrant
union all
select user_id, 'encadrant_id', id::text from profiles_encadrant;

-- No event causes anything here that its chain does not show.
create view operator_effect as
select null::uuid as source_event, null::timestamptz as happened_at, null::text as kind, null::text as description
where false;

comment on view operator_subject is 'For operators: how the users of this service can be named.';
comment on column operator_subject.user_id is 'The user at auth-service.';
comment on column operator_subject.kind is 'What value is: email, student_id or encadrant_id.';
comment on column operator_subject.value is 'What names the user; an e-mail is in lower case.';
comment on view operator_effect is 'For operators: what events caused at this service, without anything personal.';
comment on column operator_effect.source_event is 'The event.';
comment on column operator_effect.happened_at is 'When it was written.';
comment on column operator_effect.kind is 'What it is, in one word.';
comment on column operator_effect.description is 'What it is, in a few words.';

-- `deploy/postgres/logins.sh` makes the login before the migrations; a database without it does not need the grant.
do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select on operator_subject, operator_effect to operator;
    end if;
end
$$;
