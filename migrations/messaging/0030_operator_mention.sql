-- Lets an operator find the parked events that name an id or a person, by an index instead of by every body.
create view operator_mention as select person_id as id, event_id from parked_person;

comment on view operator_mention is 'For operators: the ids, and the MD5 of the e-mail addresses, that stand in the bodies of parked events.';
comment on column operator_mention.id is 'An id that stands in the body, or the MD5 of an e-mail address that does, in lower case.';
comment on column operator_mention.event_id is 'The parked event.';

do $$
begin
    if exists (select from pg_roles where rolname = 'operator') then
        grant select on operator_mention to operator;
    end if;
end
$$;
