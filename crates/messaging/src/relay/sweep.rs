//! The rows of the outbox, as the relay claims and marks them.

use super::{BATCH, Relay, publish::Receipt};
use crate::outbox::Outgoing;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

impl Relay {
    /// Publishes the unclaimed rows that are older than `age`, batch after batch.
    pub(super) async fn sweep(&mut self, age: Duration, stop: &CancellationToken) {
        while self.link.is_some() && !stop.is_cancelled() {
            let claimed = match self.claim(age).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!("The outbox cannot be read: {error}");
                    self.database = None;
                    return;
                }
            };
            if claimed.is_empty() || !self.publish(&claimed, stop).await {
                if let Err(error) = self.unclaim(&claimed).await {
                    tracing::warn!(
                        "Claims on the outbox could not be given back, they end in 10 s: {error}"
                    );
                }
                return;
            }
            if claimed.len() < BATCH {
                return;
            }
        }
    }

    async fn claim(&mut self, age: Duration) -> sqlx::Result<Vec<Outgoing>> {
        let connection = self.database().await?;
        // A committed claim, so that no lock is held while confirms are awaited.
        let rows = sqlx::query!(
            r#"update outbox set claimed_until = now() + interval '10 seconds'
               where event_id in (
                   select event_id from outbox
                   where published_at is null
                     and (claimed_until is null or claimed_until < now())
                     and created_at <= now() - make_interval(secs => $1)
                   order by created_at
                   limit $2
                   for update skip locked)
               returning event_id, routing_key, correlation_id, envelope::text as "envelope!""#,
            age.as_secs_f64(),
            BATCH as i64,
        )
        .fetch_all(connection)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Outgoing {
                event_id: row.event_id.into(),
                routing_key: row.routing_key,
                correlation_id: row.correlation_id,
                envelope: row.envelope,
            })
            .collect())
    }

    async fn unclaim(&mut self, events: &[Outgoing]) -> sqlx::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = events
            .iter()
            .map(|event| event.event_id.as_uuid())
            .collect();
        sqlx::query!(
            "update outbox set claimed_until = null where event_id = any($1) and unroutable_at is null",
            &ids
        )
        .execute(self.database().await?)
        .await?;
        Ok(())
    }

    /// Marks published events, and postpones those that no queue took.
    pub(super) async fn mark(&mut self, receipt: Receipt) -> sqlx::Result<()> {
        let connection = self.database().await?;
        let published: Vec<Uuid> = receipt.published.into_iter().map(Uuid::from).collect();
        sqlx::query!(
            // The consumers hold a published event now; here its text would be one more copy to erase.
            "update outbox set published_at = now(), unroutable_at = null, envelope = null where event_id = any($1)",
            &published
        )
        .execute(&mut *connection)
        .await?;
        if !receipt.returned.is_empty() {
            let returned: Vec<Uuid> = receipt.returned.into_iter().map(Uuid::from).collect();
            sqlx::query!(
                "update outbox set unroutable_at = now(), claimed_until = now() + interval '1 minute'
                 where event_id = any($1)",
                &returned
            )
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
