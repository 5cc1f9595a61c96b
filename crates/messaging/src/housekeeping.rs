//! Housekeeping of a database: counts the events that are not done, and deletes old rows of those that are.
//!
//! Every process of a service runs it, and one of them does the work: the one that holds an advisory lock of the
//! database, on a connection of its own. When that connection ends, PostgreSQL releases the lock and another process
//! takes it.
//!
//! A process that loses the lock sets its gauges to NaN, which stands for "not measured": a value that it measured
//! last would never change again. `max()` in Prometheus passes over NaN, so a rule sees the value of the holder.

use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The key of the advisory lock: "medtrack" in ASCII.
const LOCK: i64 = 0x6d65_6474_7261_636b;
/// The pause between two rounds, and between two tries to take the lock.
const EVERY: Duration = Duration::from_secs(5);
/// A round that takes longer has lost its connection.
const ROUND: Duration = Duration::from_secs(30);
const STATES: [&str; 2] = ["waiting", "dead"];

/// Counts and purges the tables of a database, while this process holds the lock.
pub struct Housekeeping {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
    holds_lock: bool,
}

impl Housekeeping {
    /// Makes the housekeeping of the pool's database. It begins with [`Housekeeping::run`].
    pub fn new(pool: &PgPool) -> Self {
        Self {
            options: pool.connect_options(),
            connection: None,
            holds_lock: false,
        }
    }

    /// Runs until `stop`, and waits for a database that does not answer.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                done = timeout(ROUND, self.round()) => match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.lose(error),
                    Err(_) => self.lose(format_args!("no answer within {} s", ROUND.as_secs())),
                },
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        // The next holder need not wait until the server notices that this process has ended.
        if let Some(connection) = self.connection.take() {
            let _ = timeout(Duration::from_secs(1), connection.close()).await;
        }
    }

    async fn round(&mut self) -> sqlx::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self
                .connection
                .insert(PgConnection::connect_with(&self.options).await?),
        };
        if !self.holds_lock {
            self.holds_lock =
                sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "holds!""#, LOCK)
                    .fetch_one(&mut *connection)
                    .await?;
        }
        if self.holds_lock {
            measure(connection).await?;
            purge(connection).await?;
        }
        Ok(())
    }

    /// Drops the connection, and with it the lock.
    fn lose(&mut self, cause: impl Display) {
        if self.connection.take().is_some() {
            tracing::warn!("The outbox cannot be counted and purged: {cause}");
        }
        if std::mem::take(&mut self.holds_lock) {
            forget();
        }
    }
}

struct Outbox {
    depth: f64,
    age: f64,
    unroutable: f64,
}

impl Outbox {
    fn set(&self) {
        metrics::gauge!("medtrack_outbox_depth").set(self.depth);
        metrics::gauge!("medtrack_outbox_age_seconds").set(self.age);
        metrics::gauge!("medtrack_outbox_unroutable").set(self.unroutable);
    }
}

fn set_parked(state: &'static str, count: f64, age: f64) {
    metrics::gauge!("medtrack_parked_events", "state" => state).set(count);
    metrics::gauge!("medtrack_parked_oldest_seconds", "state" => state).set(age);
}

/// Sets every gauge to "not measured".
fn forget() {
    Outbox {
        depth: f64::NAN,
        age: f64::NAN,
        unroutable: f64::NAN,
    }
    .set();
    for state in STATES {
        set_parked(state, f64::NAN, f64::NAN);
    }
}

async fn measure(connection: &mut PgConnection) -> sqlx::Result<()> {
    let outbox = sqlx::query!(
        r#"select count(*) as "depth!",
                  coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "age!",
                  count(*) filter (where unroutable_at is not null) as "unroutable!"
           from outbox where published_at is null"#
    )
    .fetch_one(&mut *connection)
    .await?;
    let parked = sqlx::query!(
        r#"select state as "state!",
                  count(event_id) as "count!",
                  coalesce(extract(epoch from now() - min(first_at)), 0)::float8 as "age!"
           from parked_event group by state"#
    )
    .fetch_all(connection)
    .await?;
    Outbox {
        depth: outbox.depth as f64,
        age: outbox.age,
        unroutable: outbox.unroutable as f64,
    }
    .set();
    for state in STATES {
        match parked.iter().find(|row| row.state == state) {
            Some(row) => set_parked(state, row.count as f64, row.age),
            None => set_parked(state, 0.0, 0.0),
        }
    }
    Ok(())
}

/// Deletes published rows after a week and inbox ids after 90 days, a small batch at a time. After that the services'
/// unique keys, versions and tombstones still keep a copy from having an effect.
async fn purge(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from outbox where event_id in (
             select event_id from outbox where published_at < now() - interval '7 days' limit 1000)"
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from inbox where event_id in (
             select event_id from inbox i where received_at < now() - interval '90 days'
               and not exists (select from parked_event p where p.event_id = i.event_id)
             limit 1000)"
    )
    .execute(connection)
    .await?;
    Ok(())
}
