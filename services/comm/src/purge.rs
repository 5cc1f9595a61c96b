//! Deletes what has ended: the texts of deleted notifications after 10 minutes, the traces of deletions after 90 days, and
//! old notifications. Each process of the API does it, a small batch at a time; what another one has done already is
//! passed over.

use crate::{
    actions,
    store::purge::{self, Walk},
};
use chrono::{Days, Utc};
use service_kit::metrics::finished;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::{Builder, Uuid};

/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(10);
/// The pause when there may be more to do.
const SOON: Duration = Duration::from_millis(100);
/// The pause between two walks over all old notifications.
const WALK_EVERY: Duration = Duration::from_secs(3600);
/// The most rows of one statement: none holds its locks for long.
const BATCH: i64 = 500;

/// The purge of one process.
pub(crate) struct Purge {
    pool: PgPool,
    /// How many days a notification is kept after it was read; twice as long when it was not.
    days: u16,
    /// Where the walk over old notifications is.
    after: Uuid,
    /// When it goes on.
    next_step: Instant,
}

impl Purge {
    /// Makes the purge of a database. It begins with [`Purge::run`].
    pub(crate) fn new(pool: PgPool, days: u16) -> Self {
        Self {
            pool,
            days,
            after: Uuid::nil(),
            next_step: Instant::now(),
        }
    }

    /// Purges until the process stops.
    ///
    /// # Errors
    /// Never: while the database does not answer, it tries again.
    pub(crate) async fn run(mut self, stopping: CancellationToken) -> anyhow::Result<()> {
        loop {
            let pause = match self.round().await {
                Ok(true) => SOON,
                Ok(false) => EVERY,
                Err(error) => {
                    tracing::warn!("What has ended could not be deleted: {error}");
                    EVERY
                }
            };
            finished("purge");
            tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Deletes a batch of each kind, and returns whether there may be more.
    async fn round(&mut self) -> sqlx::Result<bool> {
        let emptied = purge::empty(&mut *self.pool.acquire().await?, BATCH).await?;
        let mut tx = self.pool.begin().await?;
        let forgotten = actions::purge::forget(&mut tx, BATCH).await?;
        tx.commit().await?;
        let walks_on = self.step().await?;
        let batch = usize::try_from(BATCH).unwrap_or_default();
        Ok(walks_on || forgotten >= batch || emptied >= BATCH.unsigned_abs())
    }

    /// Looks at the next old notifications, and returns whether there are more.
    async fn step(&mut self) -> sqlx::Result<bool> {
        if Instant::now() < self.next_step {
            return Ok(false);
        }
        let before = Utc::now() - Days::new(self.days.into());
        let before = before.timestamp_millis().unsigned_abs();
        let before = Builder::from_unix_timestamp_millis(before, &[0; 10]).into_uuid();
        let mut tx = self.pool.begin().await?;
        let (range, days) = ((self.after, before), i32::from(self.days));
        let Walk { expired, last } = purge::expired(&mut tx, range, days, BATCH).await?;
        actions::purge::expire(&mut tx, &expired, days).await?;
        tx.commit().await?;
        self.after = last.unwrap_or_default();
        if last.is_none() {
            self.next_step = Instant::now() + WALK_EVERY;
        }
        Ok(last.is_some())
    }
}
