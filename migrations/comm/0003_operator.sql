-- What operators may read of this service. The views have the same columns in every service's database, so that one
-- query reads them all; a service adds rows, never columns of its own.
create view operator_subject as
select user_id, 'student_id' as kind, student_id::text as value from communications_recipient
where student_id is not null and not erased;

create view operator_effect as
select source_event, created_at as happened_at, kind, 'notification written (' || kind || ')' as description
from communications_notification;

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
