-- Which persons a parked event names is noted when it is parked, so that an erasure reads an index and not every body.
-- A trigger does it: then the note is there whichever version of a program, or which person, parks the event.
create table parked_person (
    person_id uuid not null,
    event_id  uuid not null references parked_event on delete cascade,
    primary key (person_id, event_id)
);
create index parked_person_event on parked_person (event_id);

comment on table parked_person is 'The persons that the bodies of parked events may name, for their erasure.';
comment on column parked_person.person_id is 'An id that stands in the body, or the MD5 of an e-mail address that does, in lower case.';
comment on column parked_person.event_id is 'The parked event.';

create table erased_person (
    person_id uuid primary key,
    erased_at timestamptz not null default now()
);
create index erased_person_erased on erased_person (erased_at);

comment on table erased_person is 'The ids of what was erased: a message about it that comes late is parked without its body.';
comment on column erased_person.person_id is 'The id of a user or of a profile.';
comment on column erased_person.erased_at is 'When it was erased.';

create function persons_in(body bytea) returns setof uuid language sql immutable as $$
    select lower(named[1])::uuid
    from regexp_matches(encode(body, 'escape'),
        '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', 'g') as named
    union
    select md5(lower(named[1]))::uuid
    from regexp_matches(encode(body, 'escape'),
        '[A-Za-z0-9!#$%&''*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+', 'g') as named
$$;

comment on function persons_in is 'The ids and the digests of the e-mail addresses that stand in a body.';

-- As its owner: an operator may park an event again, and must not read or change these tables.
create function note_persons() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if tg_op = 'UPDATE' then
        delete from parked_person where event_id = new.event_id;
    end if;
    insert into parked_person (person_id, event_id) select person_id, new.event_id from persons_in(new.body) as person_id;
    return null;
end
$$;

comment on function note_persons is 'Keeps parked_person in step with the bodies of parked_event.';

create trigger note_persons after insert or update of body on parked_event for each row execute function note_persons();

alter table parked_event
    add column occurred_at   timestamptz not null default now(),
    add column waiting_since timestamptz not null default now(),
    add column released      boolean not null default false,
    add column source        text;

comment on column parked_event.occurred_at is 'The time of the event; when it tells none, when it was parked.';
comment on column parked_event.waiting_since is 'Since when it is tried: when it was parked, or last replayed.';
comment on column parked_event.released is 'True when what it waits for has arrived, or a person replays it: it is tried before all others.';
comment on column parked_event.source is 'The service that published it, where that could be read.';
