//! The writing side: a change and its event in one transaction, and the hand-over to the relay after it.

use crate::{Broker, Relay, parked};
use chrono::Utc;
use events::{Event, EventId, Meta, envelope};
use sqlx::{PgConnection, PgPool, Postgres};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

/// How many committed events may await the relay in memory. A full hand-over drops the hint, not the event:
/// the table has it.
const HAND_OVER: usize = 4096;

/// Makes the two ends of a process's outbox: the handle that begins transactions, and the relay to run.
pub fn outbox(pool: PgPool, broker: Broker) -> (Outbox, Relay) {
    let (sender, receiver) = mpsc::channel(HAND_OVER);
    let outbox = Outbox {
        source: broker.source(),
        hand_over: sender,
        released: Arc::new(Notify::new()),
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
    /// An outbox without a relay, for a command that ends: its events are published by the next relay that
    /// sweeps the table.
    pub fn without_relay(pool: PgPool, source: &'static str) -> Self {
        let (hand_over, _) = mpsc::channel(1);
        Self {
            pool,
            source,
            hand_over,
            released: Arc::new(Notify::new()),
        }
    }

    /// Begins a transaction. Do not put this under a time-out or into `select!`: sqlx 0.9.0 can return a
    /// connection to the pool inside an open transaction when this future is dropped half-way.
    ///
    /// # Errors
    /// When the database does not answer.
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
            waiting: Vec::new(),
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

/// Why an event exists: the request or the event that it goes back to.
#[derive(Clone, Debug)]
pub struct Cause {
    correlation_id: Uuid,
    event_id: Option<EventId>,
    traceparent: Option<String>,
}

impl Cause {
    /// The root of a chain: a person's request, whose id becomes the correlation id.
    pub fn root(correlation_id: Uuid) -> Self {
        Self {
            correlation_id,
            event_id: None,
            traceparent: None,
        }
    }

    /// An event that leads to another.
    pub(crate) fn event(meta: &Meta) -> Self {
        Self {
            correlation_id: meta.correlation_id,
            event_id: Some(meta.event_id),
            traceparent: meta.traceparent.clone(),
        }
    }
}

/// An event to be written: what happened, to which version of the aggregate, and why.
#[derive(Debug)]
pub struct NewEvent<E> {
    /// Why it happened.
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
    waiting: Vec<(EventId, String)>,
    released: bool,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

impl Transaction {
    /// Writes an event, to be published after the commit.
    ///
    /// # Errors
    /// When the payload is too large, or the database refuses.
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

    /// Writes any number of events in one round trip, to be published after the commit.
    ///
    /// # Errors
    /// When a payload is too large, or the database refuses.
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
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope)
             select event_id, $1, aggregate_id, aggregate_version, correlation_id, envelope::json
             from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[])
               as draft (event_id, aggregate_id, aggregate_version, correlation_id, envelope)
             on conflict (event_id) do nothing",
            E::KEY,
            &ids,
            &aggregates,
            &versions,
            &correlations,
            &envelopes,
        )
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Releases the parked events that wait for any of `what`, such as `student:<id>`: they are tried as soon
    /// as this transaction has committed. Call it in the transaction that stores what they wait for.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn release(&mut self, what: &[String]) -> sqlx::Result<()> {
        self.released |= parked::release(&mut self.inner, what).await?;
        Ok(())
    }

    /// Parks an event that is being handled, because something that it needs has not arrived: until
    /// [`Transaction::release`] is called with the same words, such as `student:<id>`. It is tried again now and
    /// then besides.
    pub fn wait(&mut self, event: &Meta, what: String) {
        self.waiting.push((event.event_id, what));
    }

    pub(crate) fn take_waiting(&mut self) -> Vec<(EventId, String)> {
        std::mem::take(&mut self.waiting)
    }

    /// Forgets what parked events say that name any of these ids. (The outbox forgets what it has published, and
    /// the inbox keeps ids only.)
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn erase(&mut self, ids: &[Uuid]) -> sqlx::Result<()> {
        self.released |= parked::blank(&mut self.inner, ids).await?;
        Ok(())
    }

    /// Does something small once this transaction has committed, such as the log line that says so.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(then));
    }

    /// Commits, then hands the events to the relay.
    ///
    /// # Errors
    /// When the database refuses, or does not answer: then it is not known whether the change was made.
    pub async fn commit(self) -> sqlx::Result<()> {
        self.inner.commit().await?;
        for outgoing in self.written {
            // A full hand-over is no error: the relay's sweep finds the row.
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
    /// When the database does not answer; everything is undone all the same.
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

/// An event could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Its payload is larger than the contract allows.
    #[error(transparent)]
    TooLarge(#[from] envelope::TooLarge),
    /// The database refused.
    #[error("the outbox refused the event")]
    Database(#[from] sqlx::Error),
}
