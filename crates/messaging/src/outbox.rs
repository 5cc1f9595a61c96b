//! Writes a change and its event in one transaction, and hands the event over to the relay after the commit.
//!
//! Unless it says more, a function that fails does so with the database's error.

use crate::{Broker, Cause, Relay, parked};
use chrono::Utc;
use events::{Event, EventId, Meta, WaitsFor, envelope};
use service_kit::revocations::Revocations;
use sqlx::{PgConnection, PgPool, Postgres};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};
use tokio::sync::{Notify, mpsc};
use tracing::Span;
use uuid::Uuid;

/// How many committed events may wait for the relay in memory. An event that does not fit is not lost: the relay finds
/// it in the table.
const HAND_OVER: usize = 4096;

/// Makes the outbox of a process, and its relay, which is to be run.
pub fn outbox(pool: PgPool, broker: Broker) -> (Outbox, Relay) {
    let (sender, receiver) = mpsc::channel(HAND_OVER);
    let outbox = Outbox {
        source: broker.source(),
        hand_over: sender,
        released: Arc::new(Notify::new()),
        revocations: None,
        pool: pool.clone(),
    };
    (outbox, Relay::new(pool, broker, receiver))
}

/// Begins the transactions in which changes and their events are written.
#[derive(Clone, Debug)]
pub struct Outbox {
    pool: PgPool,
    source: &'static str,
    hand_over: mpsc::Sender<Outgoing>,
    released: Arc<Notify>,
    revocations: Option<Revocations>,
}

/// A committed event on its way to the relay.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) event_id: EventId,
    pub(crate) routing_key: String,
    pub(crate) correlation_id: Uuid,
    pub(crate) envelope: String,
}

impl Outbox {
    /// Makes an outbox without a relay, for a command that ends: the next relay that sweeps the table publishes its
    /// events.
    pub fn without_relay(pool: PgPool, source: &'static str) -> Self {
        let (hand_over, _) = mpsc::channel(1);
        Self {
            pool,
            source,
            hand_over,
            released: Arc::new(Notify::new()),
            revocations: None,
        }
    }

    /// Adds what a transaction revokes to this memory after its commit: the process then refuses it at once.
    #[must_use]
    pub fn with_revocations(self, revocations: Revocations) -> Self {
        Self {
            revocations: Some(revocations),
            ..self
        }
    }

    /// Begins a transaction. Do not put this under a time-out or into `select!`: when this future is dropped half-way,
    /// sqlx 0.9.0 can return a connection to the pool inside an open transaction.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn begin(&self) -> sqlx::Result<Transaction> {
        Ok(self.transaction(self.pool.begin().await?))
    }

    /// Begins a transaction that handles one event: no statement may take longer than a second.
    pub(crate) async fn begin_for_one_event(&self) -> sqlx::Result<Transaction> {
        Ok(self.transaction(
            self.pool
                .begin_with("begin; set local statement_timeout = '1s'")
                .await?,
        ))
    }

    fn transaction(&self, inner: sqlx::Transaction<'static, Postgres>) -> Transaction {
        Transaction {
            inner,
            outbox: self.clone(),
            written: Vec::new(),
            released: false,
            after_commit: Vec::new(),
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Resolves when a transaction of this process has released parked events.
    pub(crate) async fn released(&self) {
        self.released.notified().await;
    }
}

/// An event to be written.
#[derive(Debug)]
pub struct NewEvent<E> {
    /// The cause.
    pub cause: Cause,
    /// The version (1, 2, 3 …) of the aggregate after the change.
    pub version: i64,
    /// What happened.
    pub event: E,
}

/// A database transaction that can write events. Store functions borrow it as a [`PgConnection`].
pub struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    outbox: Outbox,
    written: Vec<Outgoing>,
    released: bool,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Transaction {
    /// Writes an event. The relay publishes it after the commit.
    ///
    /// # Errors
    /// Also fails when the payload is too large.
    pub async fn enqueue<E: Event>(
        &mut self,
        cause: &Cause,
        version: i64,
        event: E,
    ) -> Result<(), EnqueueError> {
        self.enqueue_all(&[NewEvent {
            cause: cause.clone(),
            version,
            event,
        }])
        .await
    }

    /// Writes any number of events in one round trip. The relay publishes them after the commit.
    ///
    /// # Errors
    /// Also fails when a payload is too large.
    pub async fn enqueue_all<E: Event>(
        &mut self,
        new_events: &[NewEvent<E>],
    ) -> Result<(), EnqueueError> {
        if new_events.is_empty() {
            return Ok(());
        }
        let (mut ids, mut aggregates, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut correlations, mut envelopes) = (Vec::new(), Vec::new());
        for NewEvent {
            cause,
            version,
            event,
        } in new_events
        {
            let aggregate_id = event.aggregate_id();
            let event_id = match cause.event_id {
                Some(cause) => EventId::caused_by(cause, E::KEY, aggregate_id),
                None if cause.is_announcement => EventId::announced(aggregate_id, *version, E::KEY),
                None => EventId::new(),
            };
            let meta = Meta {
                event_id,
                timestamp: Utc::now(),
                routing_key: E::KEY.into(),
                source: self.outbox.source.into(),
                correlation_id: cause.correlation_id,
                causation_id: cause.event_id,
                aggregate_id: Some(aggregate_id),
                aggregate_version: Some(*version),
                schema_version: E::SCHEMA_VERSION,
                traceparent: cause.traceparent.clone(),
            };
            let envelope = envelope::encode(&meta, event)?;
            ids.push(event_id.as_uuid());
            aggregates.push(aggregate_id);
            versions.push(*version);
            correlations.push(cause.correlation_id);
            envelopes.push(envelope.clone());
            self.written.push(Outgoing {
                event_id,
                routing_key: E::KEY.into(),
                correlation_id: cause.correlation_id,
                envelope,
            });
        }
        sqlx::query!(
            // What a deletion is about is erased with it.
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                 erased_at)
             select event_id, $1, aggregate_id, aggregate_version, correlation_id, envelope::json,
                    case when $1 like '%.deleted' then now() end
             from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[])
               as draft (event_id, aggregate_id, aggregate_version, correlation_id, envelope)
             on conflict (event_id) do update
             set envelope = excluded.envelope, published_at = null, claimed_until = null, created_at = now() where $7",
            E::KEY,
            &ids,
            &aggregates,
            &versions,
            &correlations,
            &envelopes,
            // What was announced before is published once more.
            new_events[0].cause.is_announcement,
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Releases the parked events that wait for any of these keys: they are retried as soon as this transaction has
    /// committed. Call it in the transaction that stores what they wait for.
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn release(&mut self, keys: &[WaitsFor]) -> sqlx::Result<()> {
        self.released |= parked::release(&mut self.inner, keys).await?;
        Ok(())
    }

    /// Deletes the bodies of parked events that name any of these ids or e-mail addresses, and the texts of published
    /// events about the ids. The text of an event that is not published yet is deleted after it was published, because
    /// the other services need it. A deletion stays, without the e-mail, so that it can be published again. (The inbox
    /// holds ids only.)
    ///
    /// # Errors
    /// Fails with the database's error.
    pub async fn erase(&mut self, ids: &[Uuid], emails: &[String]) -> sqlx::Result<()> {
        // One statement, so that a row that the relay marks meanwhile is seen in either state.
        sqlx::query!(
            "update outbox set erased_at = now(),
                 envelope = case when published_at is null or routing_key like '%.deleted' then envelope end
             where (published_at is null and aggregate_id = any($1))
                or (published_at is not null and envelope is not null and aggregate_id = any($1))",
            ids
        )
        .execute(&mut *self.inner)
        .await?;
        self.released |= parked::blank(&mut self.inner, ids, emails).await?;
        Ok(())
    }

    /// Does something small once this transaction has committed, such as to log a line. It runs in the span of `cause`.
    pub fn after_commit(&mut self, cause: &Cause, then: impl FnOnce() + Send + 'static) {
        self.after_commit_in(cause.span.clone(), then);
    }

    /// Counts an event that changes nothing, because what it says is older than what is recorded, and logs it with
    /// `log` once this transaction has committed.
    pub fn ignored(&mut self, event: &Cause, log: impl FnOnce() + Send + 'static) {
        self.after_commit(event, || {
            metrics::counter!("medtrack_events_ignored_total").increment(1);
            log();
        });
    }

    pub(crate) fn after_commit_in(&mut self, span: Span, then: impl FnOnce() + Send + 'static) {
        self.after_commit
            .push(Box::new(move || span.in_scope(then)));
    }

    pub(crate) fn revocations(&self) -> Option<Revocations> {
        self.outbox.revocations.clone()
    }

    /// Commits, then hands the events over to the relay.
    ///
    /// # Errors
    /// Fails with the database's error. When the database did not answer, the change may have been made.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await?;
        for outgoing in self.written {
            // When the channel is full, the relay's sweep finds the row.
            let _ = self.outbox.hand_over.try_send(outgoing);
        }
        self.after_commit.into_iter().for_each(|then| then());
        if self.released {
            self.outbox.released.notify_one();
        }
        Ok(())
    }

    /// Undoes everything.
    ///
    /// # Errors
    /// Fails when the database does not answer. Then the database undoes everything by itself.
    pub async fn rollback(self) -> sqlx::Result<()> {
        self.inner.rollback().await
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}

/// Why an event could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Its payload is larger than the contract allows.
    #[error(transparent)]
    TooLarge(#[from] envelope::TooLarge),
    /// The statement failed.
    #[error("the outbox refused the event")]
    Database(#[from] sqlx::Error),
}
