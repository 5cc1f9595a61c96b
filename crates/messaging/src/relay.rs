//! The relay: publishes the committed rows of the outbox, and marks those that the broker confirmed.
//!
//! On the fast path it receives the rows in memory, straight after their commit. The table decides: the sweep finds
//! what the fast path missed, at start, after a reconnect, and about every second.
//!
//! - [`publish`]: a batch on a channel, and its confirms
//! - [`sweep`]: the rows of the table: claims and marks

mod publish;
mod sweep;

pub(crate) use publish::Link;

use crate::{
    Status,
    broker::{self, Broker, BrokerError, CALL, cause, within},
    floor::Floor,
    outbox::Outgoing,
    topology,
};
use lapin::{Channel, Connection, options::ConfirmSelectOptions};
use publish::Receipt;
use rand::RngExt as _;
use service_kit::metrics::finished;
use sqlx::{PgConnection, PgPool};
use std::{collections::HashSet, mem, slice, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The most events that are published before their confirms are awaited together.
const BATCH: usize = 1024;
/// How often a batch is tried again before it is left to the sweep.
const RETRIES: u32 = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// The pause between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Younger rows are left to the fast path, unless no process can have them in memory.
const SWEEP_AGE: Duration = Duration::from_secs(2);

/// Publishes the events of the outbox. Each process that writes the outbox runs one; several on one database share the
/// rows by claims.
#[derive(Debug)]
pub struct Relay {
    pool: PgPool,
    broker: Broker,
    handed_over: mpsc::Receiver<Outgoing>,
    database: Option<PgConnection>,
    link: Option<Link>,
    floor: Floor,
    /// How many events the next batch has. A batch that took too long is halved, so that a slow link gets ahead.
    size: usize,
    /// A whole round of tries has failed: events that are handed over are left to the sweep.
    gave_up: bool,
    /// What the first sweep over a new connection took: it may have been handed over during the sweep, too.
    swept: HashSet<Uuid>,
    status: Status,
}

impl Relay {
    pub(crate) fn new(pool: PgPool, broker: Broker, handed_over: mpsc::Receiver<Outgoing>) -> Self {
        let status = Status::starting();
        Self {
            pool,
            broker,
            handed_over,
            database: None,
            link: None,
            floor: Floor::unknown(),
            size: BATCH,
            gave_up: false,
            swept: HashSet::new(),
            status,
        }
    }

    /// Whether the relay is connected to the broker.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Runs until `stop`, then publishes what was handed over and ends. It waits for a broker or a database that does
    /// not answer.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut events = Vec::with_capacity(BATCH);
        let mut next_sweep = Instant::now();
        while !stop.is_cancelled() {
            let is_open = !self.handed_over.is_closed() || !self.handed_over.is_empty();
            // A sweep that is due is not put off by events that are handed over, and leaves them a turn after it.
            if Instant::now() >= next_sweep {
                next_sweep = self.sweep_once(&stop).await;
            }
            let size = self.size;
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = self.handed_over.recv_many(&mut events, size), if is_open => {
                    let events = self.unswept(&mut events);
                    if !self.gave_up {
                        self.publish(events, &stop).await;
                    }
                }
                () = tokio::time::sleep_until(next_sweep) => {}
            }
        }
        self.handed_over.close();
        while self.link.is_some() && self.handed_over.recv_many(&mut events, BATCH).await > 0 {
            let events = self.unswept(&mut events);
            self.publish(events, &stop).await;
        }
        if let Some(link) = self.link.take() {
            let close = link.connection.close(200, "stopped".into());
            let _ = within("closing", Duration::from_secs(1), close).await;
        }
    }

    /// Takes the events that the sweep has not taken.
    fn unswept(&self, events: &mut Vec<Outgoing>) -> Vec<Outgoing> {
        let mut events = mem::take(events);
        events.retain(|event| !self.swept.contains(&event.event_id.as_uuid()));
        events
    }

    /// Sweeps, over a new connection when the last one was lost. Returns when the next sweep is due.
    async fn sweep_once(&mut self, stop: &CancellationToken) -> Instant {
        let is_new = tokio::select! {
            () = stop.cancelled() => return Instant::now(),
            is_new = self.reconnect() => is_new,
        };
        let mut age = SWEEP_AGE;
        if self.handed_over.is_empty() {
            self.swept.clear();
        }
        if is_new {
            age = Duration::ZERO;
            self.floor = Floor::unknown();
        }
        let is_partial = self.sweep(age, stop).await;
        finished("relay");
        if is_partial {
            return Instant::now();
        }
        let jitter = rand::rng().random_range(0.8..=1.2);
        Instant::now() + SWEEP_EVERY.mul_f64(jitter)
    }

    /// Notices a connection that was lost while idle, and makes a new one. True when it made one: then every older
    /// event is left to the sweep.
    async fn reconnect(&mut self) -> bool {
        let is_lost = |link: &Link| !link.channel.status().connected();
        if self.link.as_ref().is_some_and(is_lost) {
            self.lose(&BrokerError::Closed);
        }
        if self.link.is_some() {
            return false;
        }
        match self.connect().await {
            Ok(()) => {
                self.leave_to_sweep();
                true
            }
            Err(error) => {
                self.status.unhealthy(cause(&error));
                false
            }
        }
    }

    /// Drops what was handed over while nothing was published: the sweep finds the same rows in the table.
    fn leave_to_sweep(&mut self) {
        while self.handed_over.try_recv().is_ok() {}
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        let connection = self.broker.connect("publish").await?;
        topology::ensure(&connection, &self.broker, None).await?;
        let channel = confirming(&connection).await?;
        self.link = Some(Link {
            connection,
            channel,
        });
        self.gave_up = false;
        self.status.healthy();
        tracing::info!("Connected to RabbitMQ to publish events");
        Ok(())
    }

    fn lose(&mut self, error: &BrokerError) {
        let cause = cause(error);
        if self.link.take().is_some() {
            tracing::warn!("Lost the connection to RabbitMQ: {cause}");
        }
        self.status.unhealthy(cause);
    }

    /// Publishes events. After a failure it tries the rest again over a new connection, then leaves it to the sweep.
    /// Returns the events that are not published.
    async fn publish(
        &mut self,
        mut events: Vec<Outgoing>,
        stop: &CancellationToken,
    ) -> Vec<Outgoing> {
        let mut tries = 0;
        loop {
            let Err(error) = self.try_publish(&mut events, stop).await else {
                return events;
            };
            self.lose(&error);
            if events.is_empty() {
                return events;
            }
            let cause = cause(&error);
            if tries == RETRIES || stop.is_cancelled() {
                if !self.gave_up {
                    events[0].span().in_scope(|| {
                        tracing::error!(
                            events = events.len(),
                            "Failed to publish event: {cause}; it is kept and published when RabbitMQ is back"
                        );
                    });
                }
                self.gave_up = true;
                return events;
            }
            tries += 1;
            tracing::warn!(
                "Publishing failed, retry {tries} of {RETRIES} in 500 ms over a new RabbitMQ connection: {cause}"
            );
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// Publishes batch after batch, and takes out of `events` what is settled.
    async fn try_publish(
        &mut self,
        events: &mut Vec<Outgoing>,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        while !events.is_empty() {
            if self.link.is_none() {
                self.connect().await?;
            }
            let Some(link) = &mut self.link else {
                return Err(BrokerError::Closed);
            };
            let batch = &events[..events.len().min(self.size)];
            let mut receipt = link.publish(batch, &self.broker, Some(stop)).await;
            if receipt.fault.is_some() && link.is_closed_alone() {
                publish_each(link, batch, &self.broker, &mut receipt).await;
            }
            receipt.report(batch);
            if receipt.was_blocked {
                self.leave_to_sweep();
            }
            self.size = match receipt.fault {
                Some(BrokerError::Timeout(_)) => (batch.len() / 2).max(1),
                Some(_) => self.size,
                None => (self.size * 2).min(BATCH),
            };
            if let Err(error) = self.mark(&receipt).await {
                // Unmarked rows are published once more; consumers recognise their ids.
                tracing::warn!("Published events could not be marked in the outbox: {error}");
            }
            events.retain(|event| !receipt.settles(event.event_id));
            if let Some(fault) = receipt.fault {
                return Err(fault);
            }
        }
        Ok(())
    }
}

/// Publishes the rest of a batch one by one, after the broker has closed its channel because of one of the events. An
/// event that is refused alone is set aside.
async fn publish_each(
    link: &mut Link,
    events: &[Outgoing],
    broker: &Broker,
    receipt: &mut Receipt,
) {
    receipt.fault = link.reopen().await.err();
    for event in events {
        if receipt.fault.is_some() {
            return;
        }
        if receipt.settles(event.event_id) {
            continue;
        }
        let one = link.publish(slice::from_ref(event), broker, None).await;
        receipt.absorb(one);
        if let Some(fault) = receipt.fault.take_if(|fault| fault.is_of_message()) {
            receipt.refused.insert(event.event_id, cause(&fault));
            receipt.fault = link.reopen().await.err();
        }
    }
}

/// Opens a channel with publisher confirms.
pub(crate) async fn confirming(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = broker::channel(connection).await?;
    let select = channel.confirm_select(ConfirmSelectOptions::default());
    within("selecting confirms", CALL, select).await?;
    Ok(channel)
}
