//! Deletes what has ended: sessions, used refresh tokens, secrets of links, failures to log in that have faded, budgets
//! that are full again, and what the audit log says about persons after a year. Each process of the API does it, a small
//! batch at a time, and passes over rows that another one has in hand.

use crate::{
    actions::sessions::{SESSION_TTL, purge_used_tokens},
    store::{audit, budgets, link_secrets, logins, sessions},
};
use chrono::Utc;
use service_kit::metrics::finished;
use sqlx::{Connection as _, PgPool};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Builder;

/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(10);
/// The most rows of one statement: none holds its locks for long.
const BATCH: i64 = 500;

/// Purges until the process stops.
///
/// # Errors
/// Never: while the database does not answer, it tries again.
pub(crate) async fn run(pool: PgPool, stopping: CancellationToken) -> anyhow::Result<()> {
    loop {
        let pause = match round(&pool).await {
            // There may be more.
            Ok(rows) if rows >= BATCH.unsigned_abs() => Duration::from_millis(100),
            Ok(_) => EVERY,
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

/// Deletes a batch of each kind, and returns the number of rows of the largest.
async fn round(pool: &PgPool) -> sqlx::Result<u64> {
    let mut connection = pool.acquire().await?;
    let oldest_open = (Utc::now() - SESSION_TTL).timestamp_millis();
    let before = Builder::from_unix_timestamp_millis(oldest_open.unsigned_abs(), &[0; 10]);
    let sessions = sessions::purge(&mut connection, before.into_uuid(), BATCH).await?;
    let mut tx = connection.begin().await?;
    let tokens = purge_used_tokens(&mut tx, BATCH).await?;
    tx.commit().await?;
    let failures = logins::purge(&mut connection, BATCH).await?;
    let budgets = budgets::purge(&mut connection, BATCH).await?;
    let secrets = link_secrets::purge(&mut connection, BATCH).await?;
    let details = audit::purge(&mut connection, BATCH).await?;
    let rows = [sessions, tokens as u64, failures, budgets, secrets, details];
    Ok(rows.into_iter().max().unwrap_or_default())
}
