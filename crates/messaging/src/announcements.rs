//! Announcements: a service writes the events of its present state again, because an operator asked for it.
//!
//! The rows of `announcement` name the aggregates. The consumer process takes them, and the service's own function
//! writes the events. The id of such an event is derived from the aggregate, the version and the key, so that two
//! announcements of one state are one event.

use crate::{Cause, EnqueueError, Outbox, Transaction};
use futures_util::future::BoxFuture;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Span;
use uuid::Uuid;

/// The pause between two looks at the table.
const EVERY: Duration = Duration::from_secs(2);
/// How many aggregates are announced in one transaction.
const BATCH: i64 = 256;

/// An aggregate whose present state a service announces.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The announced version is no lower than this one.
    pub at_least: i64,
    /// The cause of the events.
    pub cause: Cause,
}

/// The function of a service that writes the events of the present state of aggregates. It borrows the transaction.
pub type Announce =
    for<'a> fn(&'a mut Transaction, &'a [Announcement]) -> BoxFuture<'a, Result<(), EnqueueError>>;

/// Announces what operators ask for, until `stop`.
pub(crate) async fn run(outbox: Outbox, announce: Announce, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        while !stop.is_cancelled() {
            match announce_batch(&outbox, announce).await {
                Ok(0) => break,
                Ok(announced) => tracing::info!(announced, "Announced the present state again"),
                Err(error) => {
                    tracing::warn!("Announcements are tried again: {error}");
                    break;
                }
            }
        }
    }
}

async fn announce_batch(outbox: &Outbox, announce: Announce) -> Result<usize, EnqueueError> {
    let mut transaction = outbox.begin().await?;
    let rows = sqlx::query!(
        "delete from announcement where aggregate_id = any(array(
             select aggregate_id from announcement order by aggregate_id limit $1 for update skip locked))
         returning aggregate_id, at_least",
        BATCH
    )
    .fetch_all(&mut *transaction)
    .await?;
    let announcements: Vec<_> = rows
        .into_iter()
        .map(|row| Announcement {
            aggregate_id: row.aggregate_id,
            at_least: row.at_least,
            cause: Cause::announcement(Span::current()),
        })
        .collect();
    if !announcements.is_empty() {
        announce(&mut transaction, &announcements).await?;
    }
    transaction.commit().await?;
    Ok(announcements.len())
}
