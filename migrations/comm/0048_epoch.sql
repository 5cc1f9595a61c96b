-- Positions count within an epoch. Another database than the one that was noted, such as a restored one, begins another
-- epoch, and every client loads the inbox anew.
create table communications_epoch (
    one      boolean primary key default true check (one),
    epoch    uuid not null,
    database text not null
);

comment on table communications_epoch is 'The epoch of the positions of all inboxes: one row.';
comment on column communications_epoch.one is 'Always true: there is one row.';
comment on column communications_epoch.epoch is 'The epoch; UUIDv7.';
comment on column communications_epoch.database is 'The database for which it was made: see communications_database().';

-- Names this database: the cluster, its timeline, and the database's oid. A restore changes one of them. A server that
-- only follows another one has the name of that one, until it is promoted.
create function communications_database() returns text language sql stable as $$
    select case
        when pg_is_in_recovery() then (select database from communications_epoch)
        else concat_ws(':', (select system_identifier from pg_control_system()),
                       left(pg_walfile_name(pg_current_wal_insert_lsn()), 8),
                       (select oid from pg_database where datname = current_database()))
    end
$$;
