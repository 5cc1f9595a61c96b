//! Deletes what has ended: own fields of users who were not created. Each process of the API does it.

use crate::store::expected;
use service_kit::metrics::finished;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(10);

/// Purges until the process stops.
///
/// # Errors
/// Never: while the database does not answer, it tries again.
pub(crate) async fn run(pool: PgPool, stopping: CancellationToken) -> anyhow::Result<()> {
    loop {
        if let Err(error) = round(&pool).await {
            tracing::warn!("What has ended could not be deleted: {error}");
        }
        finished("purge");
        tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn round(pool: &PgPool) -> sqlx::Result<()> {
    expected::sweep(&mut *pool.acquire().await?).await
}
