//! The service's own PostgreSQL database.
//!
//! The functions return boxed futures: the compiler translates an `async fn` again in each program that awaits it.

use crate::{backoff::Backoff, config::DatabaseConfig};
use anyhow::{Context as _, bail};
use futures_util::future::{BoxFuture, LocalBoxFuture};
use sqlx::{
    Connection as _, PgConnection, PgPool, Row as _,
    migrate::{Migrate as _, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

/// What PostgreSQL says of a table that does not exist.
const NO_SUCH_TABLE: &str = "42P01";
/// A connection that was not used for so long is tested before its next use.
const IDLE: Duration = Duration::from_secs(1);
/// How long a statement of a service waits for a lock.
const LOCK: &str = "3s";
/// How long a migration waits for a lock. What waits behind it may wait for [`LOCK`], so it fails later than this.
const MIGRATION_LOCK: &str = "2s";
/// For how long a migration is tried again while its tables are in use.
const MIGRATION_PATIENCE: Duration = Duration::from_secs(600);
/// The time limit of that test. One that is lost must leave time to take another one.
const TEST: Duration = Duration::from_secs(1);
/// The time limit of the question whether a connection that goes back to the pool is sound.
const CLEAN: Duration = Duration::from_secs(5);

/// Makes the pool, and waits until the database answers or the process stops.
///
/// # Errors
/// When the address is missing or malformed, or the process stopped while it waited.
pub fn connect<'a>(
    config: &'a DatabaseConfig,
    stopping: &'a CancellationToken,
) -> BoxFuture<'a, anyhow::Result<PgPool>> {
    Box::pin(connect_pool(config, stopping))
}

async fn connect_pool(
    config: &DatabaseConfig,
    stopping: &CancellationToken,
) -> anyhow::Result<PgPool> {
    let options = config.options()?.application_name(&program()).options([
        ("statement_timeout", "10s"),
        ("lock_timeout", LOCK),
        ("idle_in_transaction_session_timeout", "10s"),
    ]);
    wait_for(&options, stopping).await?.close().await?;
    Ok(PgPoolOptions::new()
        .max_connections(config.database_max_connections)
        .acquire_timeout(Duration::from_secs(3))
        // A round trip for each use would be a tenth of a request; a connection that has idled may be dead.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for < IDLE {
                    return Ok(true);
                }
                limited(TEST, connection.ping()).await.map(|()| true)
            })
        })
        .after_release(|connection, _| Box::pin(is_clean(connection)))
        .connect_lazy_with(options))
}

/// The name of this program, for `pg_stat_activity`.
fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// sqlx 0.9.0 can return a connection inside an open transaction, when a future is dropped half-way through
/// `begin()`; the next borrower's writes would be lost (transact-rs/sqlx #4385, #4394).
///
/// A connection that was dropped because it did not answer must not keep its place in the pool: it has a time limit. One
/// that takes no writes is not kept either: a session stays read-only after the database's setting has changed.
async fn is_clean(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // Inside a transaction `now()` is its start.
    let asked = sqlx::raw_sql(
        "select now() = statement_timestamp() and current_setting('transaction_read_only') = 'off'",
    )
    .fetch_one(connection);
    limited(CLEAN, asked).await?.try_get(0)
}

/// Gives a question to the database a time limit. When it takes longer, the connection must not be used any more.
async fn limited<T>(
    limit: Duration,
    question: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    timeout(limit, question)
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// Applies migrations, each try on a connection of its own that is closed afterwards: a failed migration would leave
/// its lock in a pool.
///
/// A migration that waits for a table delays every later statement on it. So it waits for less time than a service
/// does, gives up, and is tried again.
///
/// # Errors
/// When a migration fails, or finds its tables in use for ten minutes; what was applied before it stays.
pub fn migrate<'a>(
    config: &'a DatabaseConfig,
    migrators: &'a [&'a Migrator],
    stopping: &'a CancellationToken,
) -> LocalBoxFuture<'a, anyhow::Result<()>> {
    Box::pin(apply_patiently(config, migrators, stopping))
}

async fn apply_patiently(
    config: &DatabaseConfig,
    migrators: &[&Migrator],
    stopping: &CancellationToken,
) -> anyhow::Result<()> {
    let options = config
        .options()?
        .application_name(&program())
        .options([("lock_timeout", MIGRATION_LOCK)]);
    let end = Instant::now() + MIGRATION_PATIENCE;
    let mut backoff = Backoff::default();
    loop {
        backoff.wait(stopping).await;
        let mut connection = wait_for(&options, stopping).await?;
        let outcome = apply(&mut connection, migrators).await;
        let _ = connection.close().await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) if is_in_the_way(&error) && Instant::now() < end => {
                tracing::warn!("A migration waits for a table that others use: {error}");
            }
            Err(error) => {
                return Err(error).context("a migration failed; nothing after it was applied");
            }
        }
    }
}

async fn apply(connection: &mut PgConnection, migrators: &[&Migrator]) -> Result<(), MigrateError> {
    // PostgreSQL does not use an index that `create index concurrently` did not finish, and the next try fails while
    // it exists.
    sqlx::raw_sql(
        "do $$ declare unfinished regclass; begin
             for unfinished in
                 select indexrelid from pg_index join pg_class on pg_class.oid = indexrelid
                 where not indisvalid and relnamespace = current_schema()::regnamespace
             loop
                 execute format('drop index %s', unfinished);
             end loop;
         end $$",
    )
    .execute(&mut *connection)
    .await?;
    for migrator in migrators {
        migrator.run(&mut *connection).await?;
    }
    Ok(())
}

/// Whether a migration failed because of what other sessions do at the moment.
fn is_in_the_way(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            matches!(classify(error), Class::TimedOut | Class::Conflict)
        }
        _ => false,
    }
}

/// Refuses a schema that lacks a migration.
///
/// # Errors
/// When it does; the message says what to run.
pub fn ensure_current<'a>(
    pool: &'a PgPool,
    migrators: &'a [&'a Migrator],
    binary: &'a str,
) -> BoxFuture<'a, anyhow::Result<()>> {
    Box::pin(compare_migrations(pool, migrators, binary))
}

async fn compare_migrations(
    pool: &PgPool,
    migrators: &[&Migrator],
    binary: &str,
) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    for migrator in migrators {
        let applied = match connection
            .list_applied_migrations(&migrator.table_name)
            .await
        {
            Err(MigrateError::Execute(sqlx::Error::Database(error)))
                if error.code().as_deref() == Some(NO_SUCH_TABLE) =>
            {
                Vec::new()
            }
            applied => applied?,
        };
        let missing = migrator
            .iter()
            .find(|wanted| !applied.iter().any(|done| done.version == wanted.version));
        if let Some(missing) = missing {
            bail!(
                "the database lacks the migration {:?}; try: {binary} migrate",
                missing.description
            );
        }
    }
    Ok(())
}

/// What an error of the database means for the work that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The database cannot be reached or takes no work at the moment. The work itself is not at fault.
    Unavailable,
    /// Two transactions were in conflict. The same work succeeds when it is done again.
    Conflict,
    /// The work waited too long for a lock or took too long. The cause is another session, a slow database or the
    /// work itself.
    TimedOut,
    /// The database can never store these data.
    InvalidData,
    /// Anything else.
    Other,
}

/// The class of an error, by its SQLSTATE (PostgreSQL's documentation, appendix A).
pub fn classify(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(error) => classify_code(&error.code().unwrap_or_default()),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Class::Unavailable,
        _ => Class::Other,
    }
}

fn classify_code(code: &str) -> Class {
    let is_in = |classes: &[&str]| classes.iter().any(|class| code.starts_with(class));
    // 25006: the database is read-only. 25P03 and 25P04: a time-out of the transaction ended the session.
    // 53: no disk, memory or connection is left. 58: an error of the system below PostgreSQL.
    if is_in(&["08", "53", "57P", "58", "25006", "25P03", "25P04"]) {
        Class::Unavailable
    // 55P03: the lock was not available in time. 57014: the statement was cancelled, by its time-out.
    } else if is_in(&["55P03", "57014"]) {
        Class::TimedOut
    } else if is_in(&["40"]) {
        Class::Conflict
    } else if is_in(&["22"]) {
        Class::InvalidData
    } else {
        Class::Other
    }
}

/// Asks the database whether it answers, for readiness. It has a connection of its own: while slow requests hold all
/// connections of the pool, the process is busy, and one that is taken out only gives its load to the others.
#[derive(Debug)]
pub struct Probe {
    options: Arc<PgConnectOptions>,
    connection: Mutex<Option<PgConnection>>,
}

impl Probe {
    /// Makes the probe of the pool's database. It connects when it first asks.
    pub fn new(pool: &PgPool) -> Arc<Self> {
        Arc::new(Self {
            options: pool.connect_options(),
            connection: Mutex::default(),
        })
    }

    /// Whether the database answers within 2 s.
    ///
    /// # Errors
    /// One readable reason why it does not.
    pub async fn ask(self: Arc<Self>) -> Result<(), String> {
        match timeout(Duration::from_secs(2), self.ping()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer within 2 s".into()),
        }
    }

    async fn ping(&self) -> sqlx::Result<()> {
        let mut slot = self.connection.lock().await;
        // Out of the slot while it is used: a connection that does not answer in time is dropped.
        if let Some(mut connection) = slot.take()
            && connection.ping().await.is_ok()
        {
            *slot = Some(connection);
            return Ok(());
        }
        let mut connection = PgConnection::connect_with(&self.options).await?;
        connection.ping().await?;
        *slot = Some(connection);
        Ok(())
    }
}

/// Connects as soon as the database answers. The pool would not say why it does not.
async fn wait_for(
    options: &PgConnectOptions,
    stopping: &CancellationToken,
) -> anyhow::Result<PgConnection> {
    let database = options.get_database().unwrap_or(options.get_username());
    let place = format!("{}:{}/{database}", options.get_host(), options.get_port());
    let mut backoff = Backoff::default();
    loop {
        backoff.wait(stopping).await;
        if stopping.is_cancelled() {
            bail!("stopped before the database {place} answered");
        }
        let attempt = timeout(Duration::from_secs(3), PgConnection::connect_with(options));
        match attempt.await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => tracing::warn!("Waiting for the database {place}: {error}"),
            Err(_) => tracing::warn!("Waiting for the database {place}: no answer within 3 s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sqlstate_has_one_class() {
        for (code, class) in [
            ("08006", Class::Unavailable),
            ("53300", Class::Unavailable),
            ("57P01", Class::Unavailable),
            ("25P03", Class::Unavailable),
            ("25006", Class::Unavailable),
            ("53100", Class::Unavailable),
            ("58030", Class::Unavailable),
            ("25P02", Class::Other),
            ("55P03", Class::TimedOut),
            ("57014", Class::TimedOut),
            ("40001", Class::Conflict),
            ("40P01", Class::Conflict),
            ("22P05", Class::InvalidData),
            ("23505", Class::Other),
            ("", Class::Other),
        ] {
            assert_eq!(classify_code(code), class, "{code}");
        }
        assert_eq!(classify(&sqlx::Error::PoolTimedOut), Class::Unavailable);
        assert_eq!(classify(&sqlx::Error::RowNotFound), Class::Other);
    }
}
