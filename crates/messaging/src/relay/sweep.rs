//! The rows of the outbox, as the relay claims and marks them.

use super::{Relay, publish::Receipt};
use crate::{floor::Floor, outbox::Outgoing};
use sqlx::{Connection as _, PgConnection};
use std::{io, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a sweep goes on; after it the events that were handed over get their turn.
const SWEEP: Duration = Duration::from_secs(1);
/// How long one attempt with the database may take, the connecting included.
const DATABASE: Duration = Duration::from_secs(20);
/// The rows that a claim takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    New,
    /// No queue took them, or the broker refused them, a minute ago or longer.
    SetAside,
}

impl Relay {
    /// Publishes the unclaimed rows that are older than `age`, batch after batch, those that were set aside last.
    /// Returns whether it ended for want of time, with rows left.
    pub(super) async fn sweep(&mut self, age: Duration, stop: &CancellationToken) -> bool {
        let end = Instant::now() + SWEEP;
        let mut rows = Rows::New;
        while self.link.is_some() && !stop.is_cancelled() {
            if Instant::now() >= end {
                return true;
            }
            match self.sweep_batch(rows, age, stop).await {
                Ok(Swept::Full) => {}
                Ok(Swept::Short) if rows == Rows::New => match self.survey().await {
                    Ok(true) => rows = Rows::SetAside,
                    Ok(false) => return false,
                    Err(error) => return unreadable(&error),
                },
                Ok(Swept::Short | Swept::Failed) => return false,
                Err(error) => return unreadable(&error),
            }
        }
        false
    }

    async fn sweep_batch(
        &mut self,
        rows: Rows,
        age: Duration,
        stop: &CancellationToken,
    ) -> sqlx::Result<Swept> {
        let limit = self.size;
        let claimed = self.claim(rows, age, limit).await?;
        if age.is_zero() {
            let ids = claimed.iter().map(|event| event.event_id.as_uuid());
            self.swept.extend(ids);
        }
        let swept = if claimed.len() < limit {
            Swept::Short
        } else {
            Swept::Full
        };
        let left = self.publish(claimed, stop).await;
        if left.is_empty() {
            return Ok(swept);
        }
        if let Err(error) = self.unclaim(&left).await {
            tracing::warn!(
                "Claims on the outbox could not be given back, they end in 10 s: {error}"
            );
        }
        Ok(Swept::Failed)
    }

    async fn claim(
        &mut self,
        rows: Rows,
        age: Duration,
        limit: usize,
    ) -> sqlx::Result<Vec<Outgoing>> {
        let floor = self.floor.created_at();
        self.on_database(async move |connection| {
            // A committed claim, so that no lock is held while confirms are awaited. The array is made once; a planner
            // may run a subquery again, and claim more than the limit.
            sqlx::query!(
                r#"update outbox set claimed_until = now() + interval '10 seconds'
                   where event_id = any(array(
                       select event_id from outbox
                       where published_at is null
                         and (claimed_until is null or claimed_until < now())
                         and (unroutable_at is not null or refused_at is not null) = $1
                         and created_at >= coalesce($2::timestamptz, '-infinity')
                         and created_at <= now() - make_interval(secs => $3)
                       order by created_at
                       limit $4
                       for update skip locked))
                   returning event_id, routing_key, correlation_id, envelope::text as "envelope!""#,
                rows == Rows::SetAside,
                floor,
                age.as_secs_f64(),
                limit as i64,
            )
            .map(|row| Outgoing {
                event_id: row.event_id.into(),
                routing_key: row.routing_key,
                correlation_id: row.correlation_id,
                envelope: row.envelope,
            })
            .fetch_all(connection)
            .await
        })
        .await
    }

    /// Looks up, from time to time, how old the oldest row is that is not published. Returns whether rows were set aside
    /// and are due again.
    async fn survey(&mut self) -> sqlx::Result<bool> {
        if !self.floor.is_due() {
            return Ok(false);
        }
        let floor = self.floor.created_at();
        let survey = self
            .on_database(async move |connection| {
                sqlx::query!(
                    r#"select least(min(created_at), now() - make_interval(secs => $2)) as "oldest!",
                              coalesce(bool_or((unroutable_at is not null or refused_at is not null)
                                               and coalesce(claimed_until < now(), true)), false) as "due!"
                       from outbox where published_at is null and created_at >= coalesce($1::timestamptz, '-infinity')"#,
                    floor,
                    Floor::MARGIN_SECONDS,
                )
                .fetch_one(connection)
                .await
            })
            .await?;
        self.floor.raise(survey.oldest);
        Ok(survey.due)
    }

    async fn unclaim(&mut self, events: &[Outgoing]) -> sqlx::Result<()> {
        let ids: Vec<Uuid> = events
            .iter()
            .map(|event| event.event_id.as_uuid())
            .collect();
        self.on_database(async move |connection| {
            sqlx::query!(
                "update outbox set claimed_until = null where event_id = any($1)",
                &ids
            )
            .execute(connection)
            .await
        })
        .await?;
        Ok(())
    }

    /// Marks published events, and postpones those that no queue took and those that the broker refused.
    pub(super) async fn mark(&mut self, receipt: &Receipt) -> sqlx::Result<()> {
        let uuids = |ids: &mut dyn Iterator<Item = &events::EventId>| -> Vec<Uuid> {
            ids.map(|id| id.as_uuid()).collect()
        };
        let published = uuids(&mut receipt.published.iter());
        let returned = uuids(&mut receipt.returned.iter());
        let refused = uuids(&mut receipt.refused.keys());
        self.on_database(async move |connection| {
            if !published.is_empty() {
                // The text of what was erased meanwhile goes; the deletion itself stays without the e-mail.
                sqlx::query!(
                    r#"update outbox set published_at = now(), unroutable_at = null, refused_at = null,
                           envelope = case
                               when erased_at is null then envelope
                               when routing_key like '%.deleted'
                                   then jsonb_set(envelope::jsonb, '{payload,email}', '""', false)::json
                           end
                       where event_id = any($1)"#,
                    &published
                )
                .execute(&mut *connection)
                .await?;
            }
            if !returned.is_empty() || !refused.is_empty() {
                sqlx::query!(
                    "update outbox set claimed_until = now() + interval '1 minute',
                         unroutable_at = case when event_id = any($1) then now() end,
                         refused_at = case when event_id = any($2) then now() end
                     where event_id = any($1::uuid[] || $2::uuid[])",
                    &returned,
                    &refused
                )
                .execute(&mut *connection)
                .await?;
            }
            Ok(())
        })
        .await
    }

    /// Does something on the relay's own connection. Its commits need not be durable: a lost mark costs one more copy.
    /// After an error, or an attempt that takes too long, the connection is closed and not used again: an answer that
    /// comes late would be taken for the answer to the next question.
    async fn on_database<T>(
        &mut self,
        attempt: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> sqlx::Result<T> {
        let existing = self.database.take();
        let attempt = async {
            let mut connection = match existing {
                Some(connection) => connection,
                None => {
                    let options = (*self.pool.connect_options())
                        .clone()
                        .options([("synchronous_commit", "off")]);
                    PgConnection::connect_with(&options).await?
                }
            };
            let value = attempt(&mut connection).await?;
            Ok::<_, sqlx::Error>((connection, value))
        };
        let (connection, value) = timeout(DATABASE, attempt).await.unwrap_or_else(|_| {
            let late = format!("no answer within {} s", DATABASE.as_secs());
            Err(sqlx::Error::Io(io::Error::new(
                io::ErrorKind::TimedOut,
                late,
            )))
        })?;
        self.database = Some(connection);
        Ok(value)
    }
}

/// How a batch of a sweep ended.
enum Swept {
    /// There may be more rows.
    Full,
    Short,
    /// Not everything could be published.
    Failed,
}

fn unreadable(error: &sqlx::Error) -> bool {
    tracing::warn!("The outbox cannot be read: {error}");
    false
}
