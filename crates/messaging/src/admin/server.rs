//! The database server itself.

use sqlx::PgConnection;

/// Returns the version of PostgreSQL.
pub async fn server_version(connection: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar!(r#"select current_setting('server_version') as "version!""#)
        .fetch_one(connection)
        .await
}

/// A table that a session has locked against writes of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// The process of the session.
    pub pid: i32,
    /// The table.
    pub table: String,
}

/// Returns the locks on tables that other sessions hold in this database.
pub async fn held_locks(connection: &mut PgConnection) -> sqlx::Result<Vec<HeldLock>> {
    sqlx::query_as!(
        HeldLock,
        r#"select distinct pid as "pid!", relation::regclass::text as "table!" from pg_locks
           join pg_class on pg_class.oid = relation and relkind = 'r'
           join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'public'
           where granted and pid <> pg_backend_pid()
             and database = (select oid from pg_database where datname = current_database())
             and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
           order by 1, 2"#
    )
    .fetch_all(connection)
    .await
}
