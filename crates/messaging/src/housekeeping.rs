//! Housekeeping of a database: counts the events that are not done, and deletes old rows of those that are.
//!
//! Every process of a service runs it, and one of them does the work: the one that holds an advisory lock of the
//! database, on a connection of its own. When that connection ends, PostgreSQL releases the lock and another process
//! takes it.
//!
//! A process that loses the lock sets its gauges to NaN, which stands for "not measured": a value that it measured
//! last would never change again. `max()` in Prometheus passes over NaN, so a rule sees the value of the holder.

use crate::{floor::Floor, parked, request_key, revoked};
use service_kit::metrics::finished;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{fmt::Display, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The key of the advisory lock: "medtrack" in ASCII.
const LOCK: i64 = 0x6d65_6474_7261_636b;
/// The pause between two rounds, and between two tries to take the lock.
const EVERY: Duration = Duration::from_secs(5);
/// How long a round purges. When rows are left, the next round follows at once, so that the purge keeps up with what is
/// written.
const PURGE: Duration = Duration::from_secs(3);
/// How many rows one statement deletes.
const PURGE_BATCH: i64 = 2_000;
/// A round that takes longer has lost its connection.
const ROUND: Duration = Duration::from_secs(30);
const STATES: [&str; 2] = ["waiting", "dead"];

/// Counts and purges the tables of a database, while this process holds the lock.
pub struct Housekeeping {
    options: Arc<PgConnectOptions>,
    connection: Option<PgConnection>,
    holds_lock: bool,
    floor: Floor,
}

impl Housekeeping {
    /// Makes the housekeeping of the pool's database. It begins with [`Housekeeping::run`].
    pub fn new(pool: &PgPool) -> Self {
        Self {
            options: pool.connect_options(),
            connection: None,
            holds_lock: false,
            floor: Floor::unknown(),
        }
    }

    /// Runs until `stop`, and waits for a database that does not answer.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let mut pause = EVERY;
            tokio::select! {
                () = stop.cancelled() => break,
                done = timeout(ROUND, self.round()) => match done {
                    Ok(Ok(purged)) => {
                        finished("housekeeping");
                        if matches!(purged, Purged::Partly) {
                            pause = Duration::ZERO;
                        }
                    }
                    Ok(Err(error)) => self.lose(error),
                    Err(_) => self.lose(format_args!("no answer within {} s", ROUND.as_secs())),
                },
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        // The next holder need not wait until the server notices that this process has ended.
        if let Some(connection) = self.connection.take() {
            let _ = timeout(Duration::from_secs(1), connection.close()).await;
        }
    }

    async fn round(&mut self) -> sqlx::Result<Purged> {
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
        if !self.holds_lock {
            return Ok(Purged::Enough);
        }
        // First: a count that takes too long must not keep old rows.
        let purged = purge(connection).await?;
        parked::purge(connection).await?;
        revoked::purge(connection, PURGE_BATCH).await?;
        measure(connection, &mut self.floor).await?;
        Ok(purged)
    }

    /// Drops the connection, and with it the lock.
    fn lose(&mut self, cause: impl Display) {
        if self.connection.take().is_some() {
            tracing::warn!("The outbox cannot be counted and purged: {cause}");
        }
        if std::mem::take(&mut self.holds_lock) {
            self.floor = Floor::unknown();
            forget();
        }
    }
}

struct Outbox {
    depth: f64,
    age: f64,
    unroutable: f64,
    refused: f64,
}

impl Outbox {
    fn set(&self) {
        metrics::gauge!("medtrack_outbox_depth").set(self.depth);
        metrics::gauge!("medtrack_outbox_age_seconds").set(self.age);
        metrics::gauge!("medtrack_outbox_unroutable").set(self.unroutable);
        metrics::gauge!("medtrack_outbox_refused").set(self.refused);
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
        refused: f64::NAN,
    }
    .set();
    for state in STATES {
        set_parked(state, f64::NAN, f64::NAN);
    }
}

async fn measure(connection: &mut PgConnection, floor: &mut Floor) -> sqlx::Result<()> {
    let is_due = floor.is_due();
    let outbox = sqlx::query!(
        r#"select count(*) as "depth!",
                  coalesce(extract(epoch from now() - min(created_at)), 0)::float8 as "age!",
                  count(*) filter (where unroutable_at is not null) as "unroutable!",
                  count(*) filter (where refused_at is not null) as "refused!",
                  least(min(created_at), now() - make_interval(secs => $2)) as "oldest!"
           from outbox where published_at is null and created_at >= coalesce($1::timestamptz, '-infinity')"#,
        floor.created_at(),
        Floor::MARGIN_SECONDS,
    )
    .fetch_one(&mut *connection)
    .await?;
    if is_due {
        floor.raise(outbox.oldest);
    }
    let parked = sqlx::query!(
        r#"select state as "state!",
                  count(event_id) as "count!",
                  coalesce(extract(epoch from now() - min(first_at)), 0)::float8 as "age!"
           from parked_event where kind not in ('erased', 'unknown_key') group by state"#
    )
    .fetch_all(connection)
    .await?;
    Outbox {
        depth: outbox.depth as f64,
        age: outbox.age,
        unroutable: outbox.unroutable as f64,
        refused: outbox.refused as f64,
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

/// Whether a round has deleted all that is old enough.
enum Purged {
    Enough,
    Partly,
}

/// Deletes published rows after three days, inbox ids after 90 days and keys of requests after 24 hours, batch after batch, for at most [`PURGE`]. After
/// that the services' unique keys, versions and tombstones still keep a copy from having an effect.
async fn purge(connection: &mut PgConnection) -> sqlx::Result<Purged> {
    let end = Instant::now() + PURGE;
    loop {
        let outbox = sqlx::query!(
            "delete from outbox where event_id = any(array(
                 select event_id from outbox where published_at < now() - interval '3 days' limit $1))",
            PURGE_BATCH
        )
        .execute(&mut *connection)
        .await?;
        let inbox = sqlx::query!(
            "delete from inbox where event_id = any(array(
                 select event_id from inbox i where received_at < now() - interval '90 days'
                   and not exists (select from parked_event p where p.event_id = i.event_id)
                 limit $1))",
            PURGE_BATCH
        )
        .execute(&mut *connection)
        .await?;
        let keys = request_key::purge(&mut *connection, PURGE_BATCH).await?;
        let most = outbox.rows_affected().max(inbox.rows_affected()).max(keys);
        if most < PURGE_BATCH.unsigned_abs() {
            return Ok(Purged::Enough);
        }
        if Instant::now() >= end {
            return Ok(Purged::Partly);
        }
    }
}
