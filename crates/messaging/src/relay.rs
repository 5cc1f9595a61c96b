//! The relay: from committed outbox rows to confirmed messages.
//!
//! On the fast path it gets the rows in memory, straight after their commit. The table is the truth: the sweep
//! finds what the fast path missed, at start, after a reconnect, and about every second.

use crate::{
    Status,
    broker::{self, Broker, BrokerError, CALL, cause, within},
    housekeeping,
    outbox::Outgoing,
    topology,
};
use events::{EventId, topology::EXCHANGE};
use futures_util::future;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection,
    options::{BasicPublishOptions, ConfirmSelectOptions},
};
use rand::RngExt as _;
use sqlx::{Connection as _, PgConnection, PgPool};
use std::{collections::HashSet, time::Duration};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How many events are published before their confirms are awaited together.
const BATCH: usize = 256;
/// The pauses before the second and the third try of a batch.
const RETRIES: u32 = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Between two sweeps.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Younger rows belong to the fast path, unless nobody can have them in memory.
const SWEEP_AGE: Duration = Duration::from_secs(2);
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(5);

/// Publishes what the outbox holds. One for each process that writes the outbox; several on one database share
/// the work by claims.
#[derive(Debug)]
pub struct Relay {
    pool: PgPool,
    broker: Broker,
    handed_over: mpsc::Receiver<Outgoing>,
    database: Option<PgConnection>,
    link: Option<Link>,
    /// The broker has failed a whole round of tries: what is handed over is left to the sweep.
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

    /// Whether the broker takes what is published.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Runs until told to stop; then publishes what it has in hand, and ends. Faults of the broker and of the
    /// database are waited out.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut handed = Vec::with_capacity(BATCH);
        let mut next_sweep = Instant::now();
        let mut next_housekeeping = Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = self.handed_over.recv_many(&mut handed, BATCH), if !self.handed_over.is_closed() || !self.handed_over.is_empty() => {
                    if !self.gave_up {
                        self.publish(&handed, &stop).await;
                    }
                    handed.clear();
                }
                () = tokio::time::sleep_until(next_sweep) => {
                    let connected_anew = tokio::select! {
                        () = stop.cancelled() => continue,
                        connected_anew = self.reconnect() => connected_anew,
                    };
                    let age = if connected_anew { Duration::ZERO } else { SWEEP_AGE };
                    self.sweep(age, &stop).await;
                    next_sweep = Instant::now() + SWEEP_EVERY.mul_f64(rand::rng().random_range(0.8..=1.2));
                    if next_housekeeping <= Instant::now() {
                        self.housekeeping().await;
                        next_housekeeping = Instant::now() + HOUSEKEEPING_EVERY;
                    }
                }
            }
        }
        self.handed_over.close();
        while self.link.is_some() && self.handed_over.recv_many(&mut handed, BATCH).await > 0 {
            self.publish(&handed, &stop).await;
            handed.clear();
        }
        if let Some(link) = self.link.take() {
            let _ = within(
                "closing",
                Duration::from_secs(1),
                link.connection.close(200, "stopped".into()),
            )
            .await;
        }
    }

    /// Notices a connection that was lost while idle, and makes a new one. True when there is a new one: then
    /// nothing older is in hand any more.
    async fn reconnect(&mut self) -> bool {
        if self
            .link
            .as_ref()
            .is_some_and(|link| !link.channel.status().connected())
        {
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
        within(
            "selecting confirms",
            CALL,
            channel.confirm_select(ConfirmSelectOptions::default()),
        )
        .await?;
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

    /// Publishes events; a failure is tried again on a fresh connection, then left to the sweep. False when
    /// they were left.
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
                    tracing::error!(
                        event_id = %events[0].event_id, events = events.len(),
                        "Failed to publish event: {cause}; it is kept and published when RabbitMQ is back"
                    );
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
        let receipt = within(
            "publishing",
            CALL,
            publish_batch(&link.channel, events, &self.broker),
        )
        .await?;
        for event in events
            .iter()
            .filter(|event| receipt.published.contains(&event.event_id))
        {
            metrics::counter!("medtrack_events_published_total", "routing_key" => event.routing_key.clone())
                .increment(1);
            tracing::info!(
                event_id = %event.event_id, correlation_id = %event.correlation_id,
                "Published event: {}", event.routing_key
            );
        }
        for event in events
            .iter()
            .filter(|event| receipt.returned.contains(&event.event_id))
        {
            tracing::warn!(
                event_id = %event.event_id,
                "No queue takes {}: kept in the outbox, next try in a minute; try: ./medtrack topology apply",
                event.routing_key
            );
        }
        let complete = receipt.published.len() + receipt.returned.len() == events.len();
        if let Err(error) = self.mark(receipt).await {
            // Unmarked rows are published once more; consumers know them by their ids.
            tracing::warn!("Published events could not be marked in the outbox: {error}");
            self.database = None;
        }
        if complete {
            Ok(())
        } else {
            Err(BrokerError::Nacked)
        }
    }

    async fn mark(&mut self, receipt: Receipt) -> sqlx::Result<()> {
        let connection = self.database().await?;
        let published: Vec<Uuid> = receipt.published.into_iter().map(Uuid::from).collect();
        sqlx::query!(
            // What was published is the consumers' now; here it would only be one more copy to erase.
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

    /// Publishes the rows that are older than `age` and in nobody's hands, batch after batch.
    async fn sweep(&mut self, age: Duration, stop: &CancellationToken) {
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

    async fn housekeeping(&mut self) {
        let done = match self.database().await {
            Ok(connection) => housekeeping::run(connection).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!("The outbox cannot be counted and purged: {error}");
            self.database = None;
        }
    }

    /// The relay's own connection. Its commits need not be durable: a lost mark means one more copy.
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

/// What became of a batch.
#[derive(Default)]
pub(crate) struct Receipt {
    pub(crate) published: HashSet<EventId>,
    pub(crate) returned: HashSet<EventId>,
}

/// Publishes a batch on one channel, and awaits all its confirms.
///
/// lapin ties a returned message to whichever confirm comes next, so only the set of a whole batch can be
/// trusted: published is what was acked and is not among the returned, told apart by `message_id`.
pub(crate) async fn publish_batch(
    channel: &Channel,
    events: &[Outgoing],
    broker: &Broker,
) -> lapin::Result<Receipt> {
    let sending = events.iter().map(|event| {
        let options = BasicPublishOptions {
            mandatory: events::topology::is_routed(&event.routing_key),
            ..Default::default()
        };
        channel.basic_publish(
            EXCHANGE.into(),
            event.routing_key.as_str().into(),
            options,
            event.envelope.as_bytes(),
            properties(event, broker),
        )
    });
    let confirms = future::try_join_all(sending).await?;
    let confirmations = future::try_join_all(confirms).await?;
    let mut receipt = Receipt::default();
    for (event, confirmation) in events.iter().zip(confirmations) {
        let (acked, returned) = match confirmation {
            Confirmation::Ack(returned) => (true, returned),
            Confirmation::Nack(returned) => (false, returned),
            Confirmation::NotRequested => (false, None),
        };
        if acked {
            receipt.published.insert(event.event_id);
        }
        let id = returned.and_then(|message| message.delivery.properties.message_id().clone());
        if let Some(id) = id.and_then(|id| id.as_str().parse().ok()) {
            receipt.returned.insert(id);
        }
    }
    receipt
        .published
        .retain(|id| !receipt.returned.contains(id));
    Ok(receipt)
}

fn properties(event: &Outgoing, broker: &Broker) -> BasicProperties {
    const PERSISTENT: u8 = 2;
    BasicProperties::default()
        .with_message_id(event.event_id.to_string().into())
        .with_correlation_id(event.correlation_id.to_string().into())
        .with_type(event.routing_key.as_str().into())
        .with_app_id(broker.source().into())
        .with_user_id(broker.login().into())
        .with_timestamp(chrono::Utc::now().timestamp().unsigned_abs())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
}
