//! The database server itself.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Returns the version of PostgreSQL.
pub async fn server_version(connection: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"select current_setting('server_version') as "version!""#)
        .fetch_one(connection)
        .await
}

/// A table that a session has locked against writes of others.
#[derive(Clone, Debug)]
pub struct HeldLock {
    /// The process of the session.
    pub pid: i32,
    /// The table.
    pub table: String,
    /// How many other sessions wait for the table.
    pub waiting: i64,
    /// Since when the first of them waits.
    pub waiting_since: Option<DateTime<Utc>>,
}

impl HeldLock {
    /// Whether both were read from the same lock. The times of the two reads may differ.
    pub fn is(&self, other: &Self) -> bool {
        (self.pid, &self.table) == (other.pid, &other.table)
    }
}

/// Returns the locks on tables that other sessions hold in this database.
pub async fn held_locks(connection: &mut PgConnection) -> sqlx::Result<Vec<HeldLock>> {
    sqlx::query_as!(
        HeldLock,
        r#"select held.pid as "pid!", held.relation::regclass::text as "table!", count(waiter.pid) as "waiting!",
                  min(waiter.waitstart) as waiting_since
           from (select distinct pid, relation, database from pg_locks
                 where granted and pid <> pg_backend_pid()
                   and database = (select oid from pg_database where datname = current_database())
                   and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) as held
           join pg_class on pg_class.oid = held.relation and relkind = 'r'
           join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'public'
           left join pg_locks as waiter
             on waiter.relation = held.relation and waiter.database = held.database and not waiter.granted
           group by 1, 2 order by 1, 2"#
    )
    .fetch_all(connection)
    .await
}
