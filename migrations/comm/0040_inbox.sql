-- The inbox of a user: the position of the last change, and the number on the bell. A transaction that changes
-- notifications takes the rows of all its users first, in the order of their ids (`communications_inbox_lock`): the
-- positions of a user are then given in the order of the commits.
create table communications_inbox (
    user_id    uuid primary key,
    seq        bigint not null default 0,
    unread     bigint not null default 0,
    total      bigint not null default 0,
    purged_seq bigint not null default 0
);

comment on table communications_inbox is 'The position and the unread count of each user''s notifications. A row is never deleted, so that a position never goes back.';
comment on column communications_inbox.user_id is 'The user at auth-service.';
comment on column communications_inbox.seq is 'The position of the last change; each transaction that changes notifications of the user raises it.';
comment on column communications_inbox.unread is 'How many notifications are neither read, archived nor deleted.';
comment on column communications_inbox.total is 'How many notifications are neither archived nor deleted.';
comment on column communications_inbox.purged_seq is 'The highest position of a deletion that is no longer stored: a client that knows an older one loads the inbox anew.';

alter table communications_notification
    add column changed_seq bigint,
    add column archived_at timestamptz,
    add column deleted_at  timestamptz;

comment on column communications_notification.changed_seq is 'The position in the user''s inbox of the last change; null in rows from before there was an inbox.';
comment on column communications_notification.archived_at is 'When the user archived it; null: it is in the inbox.';
comment on column communications_notification.deleted_at is 'When it was deleted. It can be restored for 10 minutes; then its text goes, and after 90 days the row.';

-- Makes the inboxes that do not exist yet, with the numbers of notifications from before, and locks all of them
-- until the transaction ends. Every writer of notifications calls it first; so when an inbox is made, all notifications
-- of the user are committed and are counted.
create function communications_inbox_lock(user_ids uuid[]) returns void language plpgsql as $$
begin
    insert into communications_inbox (user_id, unread, total)
    select asked.user_id, count.unread, count.total
    from (select distinct unnest(user_ids) as user_id) as asked
    cross join lateral (
        select count(*) filter (where read_at is null) as unread, count(*) as total
        from communications_notification as old
        where old.user_id = asked.user_id and old.archived_at is null and old.deleted_at is null) as count
    where not exists (select from communications_inbox as known where known.user_id = asked.user_id)
    order by asked.user_id
    on conflict do nothing;

    perform from communications_inbox where user_id = any(user_ids) order by user_id for no key update;
end $$;

-- What follows counts what a writer does that knows no inbox: a process of the version before, or a person with psql.
-- A writer that knows it changes `changed_seq`, and then only the conditions of the triggers run.
create function communications_notification_lock() returns trigger language plpgsql as $$
begin
    perform communications_inbox_lock(array[new.user_id]);
    return new;
end $$;

create function communications_notification_inserted() returns trigger language plpgsql as $$
begin
    with moved as (
        update communications_inbox
        set seq = seq + 1,
            unread = unread
                     + (new.read_at is null and new.archived_at is null and new.deleted_at is null)::int,
            total = total + (new.archived_at is null and new.deleted_at is null)::int
        where user_id = new.user_id
        returning seq)
    update communications_notification set changed_seq = moved.seq from moved where id = new.id;
    return null;
end $$;

create function communications_notification_updated() returns trigger language plpgsql as $$
begin
    perform communications_inbox_lock(array[new.user_id]);
    -- safe: the row of one user
    update communications_inbox
    set seq = seq + 1,
        unread = unread
                 + (new.read_at is null and new.archived_at is null and new.deleted_at is null)::int
                 - (old.read_at is null and old.archived_at is null and old.deleted_at is null)::int
    where user_id = new.user_id
    returning seq into new.changed_seq;
    return new;
end $$;

-- A row that is deleted outright leaves no trace, so every client of its user loads the inbox anew.
create function communications_notification_deleted() returns trigger language plpgsql as $$
declare
    user_ids uuid[];
begin
    select array_agg(distinct user_id) into user_ids from gone where deleted_at is null;
    if user_ids is not null then
        perform communications_inbox_lock(user_ids);
        -- safe: the rows of these users
        update communications_inbox as inbox
        set seq = seq + 1, purged_seq = seq + 1,
            (unread, total) = (
                select count(*) filter (where read_at is null), count(*) from communications_notification as rest
                where rest.user_id = inbox.user_id and rest.archived_at is null and rest.deleted_at is null)
        where user_id = any(user_ids);
    end if;
    return null;
end $$;

create trigger communications_notification_lock before insert on communications_notification
    for each row when (new.changed_seq is null) execute function communications_notification_lock();
create trigger communications_notification_inserted after insert on communications_notification
    for each row when (new.changed_seq is null) execute function communications_notification_inserted();
create trigger communications_notification_updated before update of read_at on communications_notification
    for each row when (new.changed_seq is not distinct from old.changed_seq
                       and new.read_at is distinct from old.read_at)
    execute function communications_notification_updated();
create trigger communications_notification_deleted after delete on communications_notification
    referencing old table as gone for each statement execute function communications_notification_deleted();
