-- What `medtrack reconcile` compares between the services: one row for each user. The columns are the same in every
-- service's database.
create view operator_user as
select known.user_id, null::bigint as version, known.erased,
       exists (select from communications_notification as welcome
               where welcome.user_id = known.user_id and welcome.kind = 'welcome') as complete,
       null::timestamptz as changed_at
from communications_recipient as known;

comment on view operator_user is 'For operators: the users that this service knows, without anything personal.';
comment on column operator_user.user_id is 'The user at auth-service.';
comment on column operator_user.version is 'The newest version of the user here; null where this service stores none.';
comment on column operator_user.erased is 'True: the user was deleted, and this row keeps late events from bringing the user back.';
comment on column operator_user.complete is 'True: the user was welcomed.';
comment on column operator_user.changed_at is 'The time of that version; null where this service stores none.';

do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select on operator_user to operator;
    end if;
end
$$;
