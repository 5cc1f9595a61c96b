-- The login of operators reads and changes these tables. `deploy/postgres/logins.sh` makes it before the migrations;
-- a database without it, such as one that a person made by hand, does not need the grant.
do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select, insert, update, delete on outbox, inbox, parked_event to operator;
    end if;
end
$$;
