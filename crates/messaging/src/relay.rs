//! The relay: publishes the committed rows of the outbox, and marks those that the broker confirmed.
//!
//! On the fast path it receives the rows in memory, straight after their commit. The table decides: the sweep finds
//! what the fast path missed, at start, after a reconnect, and about every second.
//!
//! - [`publish`]: a batch on a channel, and its confirms
//! - [`sweep`]: the rows of the table: claims and marks

mod publish;
mod sweep;

pub(crate) use publish::publish_batch;

use crate::{
    Status,
    broker::{self, Broker, BrokerError, CALL, cause, within},
    outbox::Outgoing,
    topology,
};
use lapin::{Channel, Connection, options::ConfirmSelectOptions};
use rand::RngExt as _;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::time::Duration;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// How many events are published before their confirms are awaited together.
const BATCH: usize = 256;
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
    /// A whole round of tries has failed: events that are handed over are left to the sweep.
    gave_up: bool,
    status: Status,
}

#[derive(Debug)]
struct Link {
    /// Closes the connection when dropped.
    connection: Connection,
    channel: Channel,
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
            gave_up: false,
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
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = self.handed_over.recv_many(&mut events, BATCH), if is_open => {
                    if !self.gave_up {
                        self.publish(&events, &stop).await;
                    }
                    events.clear();
                }
                () = tokio::time::sleep_until(next_sweep) => {
                    let is_new = tokio::select! {
                        () = stop.cancelled() => continue,
                        is_new = self.reconnect() => is_new,
                    };
                    let age = if is_new { Duration::ZERO } else { SWEEP_AGE };
                    self.sweep(age, &stop).await;
                    let jitter = rand::rng().random_range(0.8..=1.2);
                    next_sweep = Instant::now() + SWEEP_EVERY.mul_f64(jitter);
                }
            }
        }
        self.handed_over.close();
        while self.link.is_some() && self.handed_over.recv_many(&mut events, BATCH).await > 0 {
            self.publish(&events, &stop).await;
            events.clear();
        }
        if let Some(link) = self.link.take() {
            let close = link.connection.close(200, "stopped".into());
            let _ = within("closing", Duration::from_secs(1), close).await;
        }
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
                while self.handed_over.try_recv().is_ok() {}
                true
            }
            Err(error) => {
                self.status.unhealthy(cause(&error));
                false
            }
        }
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        let connection = self.broker.connect("publish").await?;
        topology::ensure(&connection, &self.broker).await?;
        let channel = broker::channel(&connection).await?;
        let select = channel.confirm_select(ConfirmSelectOptions::default());
        within("selecting confirms", CALL, select).await?;
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

    /// Publishes events. After a failure it tries again over a new connection, then leaves the events to the sweep and
    /// returns false.
    async fn publish(&mut self, events: &[Outgoing], stop: &CancellationToken) -> bool {
        let mut tries = 0;
        loop {
            let error = match self.try_publish(events).await {
                Ok(()) => return true,
                Err(error) => error,
            };
            self.lose(&error);
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
                return false;
            }
            tries += 1;
            tracing::warn!(
                "Publishing failed, retry {tries} of {RETRIES} in 500 ms over a new RabbitMQ connection: {cause}"
            );
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn try_publish(&mut self, events: &[Outgoing]) -> Result<(), BrokerError> {
        if self.link.is_none() {
            self.connect().await?;
        }
        let Some(link) = &self.link else {
            return Err(BrokerError::Closed);
        };
        let publishing = publish_batch(&link.channel, events, &self.broker);
        let receipt = within("publishing", CALL, publishing).await?;
        receipt.report(events);
        let is_complete = receipt.len() == events.len();
        if let Err(error) = self.mark(receipt).await {
            // Unmarked rows are published once more; consumers recognise their ids.
            tracing::warn!("Published events could not be marked in the outbox: {error}");
            self.database = None;
        }
        if is_complete {
            Ok(())
        } else {
            Err(BrokerError::Nacked)
        }
    }

    /// The relay's own connection. Its commits need not be durable: a lost mark costs one more copy.
    async fn database(&mut self) -> sqlx::Result<&mut PgConnection> {
        if self.database.is_none() {
            let options = (*self.pool.connect_options())
                .clone()
                .options([("synchronous_commit", "off")]);
            self.database = Some(PgConnection::connect_with(&options).await?);
        }
        self.database.as_mut().ok_or(sqlx::Error::WorkerCrashed)
    }
}
