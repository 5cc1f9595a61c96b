//! The consumer: from a queue to [`Dispatcher::settle`], and only then the acknowledgement.
//!
//! A subscription starts with one delivery in flight at a time. The broker counts every return against all
//! that were in flight, so while something may be killing consumers it must be alone. After a delivery that was
//! never returned before has been settled, the subscription is opened wide.

use crate::{
    Handlers, Outbox, Status,
    broker::{self, Backoff, Broker, BrokerError, CALL, cause, within},
    dispatch::Dispatcher,
    topology,
};
use events::{RawMessage, topology::Queue};
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions,
    },
    types::{AMQPValue, FieldTable},
};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The most deliveries that are settled in one transaction.
const BATCH: usize = 256;
/// In flight when the subscription is open wide: the batch in hand and the next one.
const PREFETCH: u16 = 512;
/// How long deliveries are held while the database is away.
const HOLD: Duration = Duration::from_secs(60);
/// How often parked events are looked for, besides when one is released.
const RETRY_EVERY: Duration = Duration::from_secs(1);
const RETRY_BATCH: i64 = 16;
/// Every so many seconds the consumers of the queue are counted.
const CONSUMER_CHECK: u32 = 10;

/// Consumes one queue with the service's handlers, and tries its parked events again.
pub struct Consumer {
    broker: Broker,
    dispatcher: Dispatcher,
    status: Status,
}

impl Consumer {
    /// A consumer of `queue`; nothing happens before [`Consumer::run`].
    pub fn new(broker: Broker, outbox: Outbox, queue: &'static Queue, handlers: Handlers) -> Self {
        Self {
            broker,
            dispatcher: Dispatcher {
                queue,
                outbox,
                handlers,
            },
            status: Status::starting(),
        }
    }

    /// Whether the queue is heard: subscribed, the channel open, and counted by the broker.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Runs until told to stop; then finishes the batch in hand, and ends. Faults of the broker and of the
    /// database are waited out, for ever.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.consume(&stop), self.retry_parked(&stop));
    }

    async fn consume(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        let mut declare = true;
        while !stop.is_cancelled() {
            backoff.wait(stop).await;
            if stop.is_cancelled() || !self.database_answers(stop).await {
                return;
            }
            let began = Instant::now();
            let Err(error) = self.session(declare, stop).await else {
                return;
            };
            let cause = cause(&error);
            self.status.unhealthy(cause.clone());
            tracing::warn!(
                "Lost the subscription to {} on RabbitMQ: {cause}",
                self.dispatcher.queue.name
            );
            // What lapin cannot read comes at once again, until the broker sets it aside.
            declare = !error.is_unreadable();
            if error.is_unreadable() || began.elapsed() > Duration::from_secs(5) {
                backoff.reset();
            }
        }
    }

    /// Waits until the database answers: deliveries that could not be settled would only be returned.
    async fn database_answers(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let response = tokio::select! {
                () = stop.cancelled() => return false,
                response = self.dispatcher.outbox.pool().acquire() => response,
            };
            match response {
                Ok(_) => return true,
                Err(error) => {
                    self.status
                        .unhealthy(format!("the database is away: {error}"));
                    tracing::warn!(
                        "Not subscribing to {}: the database is away: {error}",
                        self.dispatcher.queue.name
                    );
                }
            }
            backoff.wait(stop).await;
        }
    }

    /// One connection, from subscribing until told to stop, or until a error.
    async fn session(&self, declare: bool, stop: &CancellationToken) -> Result<(), BrokerError> {
        let (connection, channel, mut subscription) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = self.connect(declare) => connected?,
        };
        tracing::info!(
            queue = self.dispatcher.queue.name,
            "Connected to RabbitMQ. Waiting for events..."
        );
        self.status.healthy();

        let mut wide = false;
        let mut watchdog = Watchdog::new();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                delivery = subscription.next() => self.received(delivery)?,
                () = watchdog.tick() => {
                    self.check(&channel, &mut watchdog).await?;
                    continue;
                }
            };
            let mut deliveries = vec![first];
            while deliveries.len() < BATCH
                && let Some(delivery) = subscription.next().now_or_never()
            {
                deliveries.push(self.received(delivery)?);
            }
            self.settle(&deliveries, stop).await?;
            let open_wide = !wide && !deliveries[0].redelivered;
            if open_wide {
                // Before the ack: with its one delivery still out, the old subscription gets no other.
                let cancel =
                    channel.basic_cancel(subscription.tag(), BasicCancelOptions::default());
                within("cancelling a subscription", CALL, cancel).await?;
            }
            let last = deliveries
                .last()
                .map_or(0, |delivery| delivery.delivery_tag);
            within(
                "acknowledging",
                CALL,
                channel.basic_ack(last, BasicAckOptions { multiple: true }),
            )
            .await?;
            if open_wide {
                subscription = self.subscribe(&channel, PREFETCH).await?;
                wide = true;
            }
        }
        let _ = within(
            "closing",
            Duration::from_secs(1),
            connection.close(200, "stopped".into()),
        )
        .await;
        Ok(())
    }

    async fn connect(
        &self,
        declare: bool,
    ) -> Result<(Connection, Channel, lapin::Consumer), BrokerError> {
        let connection = self.broker.connect("consume").await?;
        if declare {
            topology::ensure(&connection, &self.broker).await?;
        }
        let channel = broker::channel(&connection).await?;
        let subscription = self.subscribe(&channel, 1).await?;
        Ok((connection, channel, subscription))
    }

    /// Changing the prefetch of a live subscription does nothing: it is read when one begins.
    async fn subscribe(
        &self,
        channel: &Channel,
        prefetch: u16,
    ) -> Result<lapin::Consumer, BrokerError> {
        within(
            "setting the prefetch",
            CALL,
            channel.basic_qos(prefetch, BasicQosOptions::default()),
        )
        .await?;
        let consume = channel.basic_consume(
            self.dispatcher.queue.name.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        within("subscribing", CALL, consume).await
    }

    /// The stream's end is a error too: that is how a deleted queue shows.
    fn received(&self, delivery: Option<lapin::Result<Delivery>>) -> Result<Delivery, BrokerError> {
        delivery
            .ok_or(BrokerError::Ended(self.dispatcher.queue.name))?
            .map_err(BrokerError::Amqp)
    }

    /// Settles a batch; while the database is away it is held, unacknowledged.
    async fn settle(
        &self,
        deliveries: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let raw_messages: Vec<RawMessage<'_>> = deliveries.iter().map(raw).collect();
        let began = Instant::now();
        let mut backoff = Backoff::default();
        while let Err(away) = self.dispatcher.settle(&raw_messages).await {
            let cause = away.cause();
            self.status.unhealthy(cause.clone());
            tracing::warn!(
                events = deliveries.len(),
                "Holding events while the database is away: {cause}"
            );
            if began.elapsed() > HOLD || stop.is_cancelled() {
                return Err(BrokerError::DatabaseUnavailable);
            }
            backoff.wait(stop).await;
        }
        self.status.healthy();
        Ok(())
    }

    /// Looks after the queue once a second: what the broker set aside, and now and then whether we are heard.
    async fn check(&self, channel: &Channel, watchdog: &mut Watchdog) -> Result<(), BrokerError> {
        let (crashed, _) = topology::depth(channel, self.dispatcher.queue.crashed).await?;
        if crashed > 0
            && !watchdog.is_paused()
            && let Err(error) = self.drain_crashed().await
        {
            let cause = cause(&error);
            tracing::error!(
                "Cannot read {}: {cause}; look at its first message in the RabbitMQ management UI",
                self.dispatcher.queue.crashed
            );
            watchdog.pause();
        }
        if watchdog.ticks.is_multiple_of(CONSUMER_CHECK) {
            let (_, consumers) = topology::depth(channel, self.dispatcher.queue.name).await?;
            if consumers == 0 {
                return Err(BrokerError::NoConsumers(self.dispatcher.queue.name));
            }
        }
        Ok(())
    }

    /// Moves what the broker set aside to the parked events. On a connection of its own: a message that lapin
    /// cannot read ends the connection that it comes over.
    async fn drain_crashed(&self) -> Result<(), BrokerError> {
        let connection = self.broker.connect("crashed").await?;
        let channel = broker::channel(&connection).await?;
        let crashed = self.dispatcher.queue.crashed;
        loop {
            let get = channel.basic_get(crashed.into(), BasicGetOptions::default());
            let Some(message) = within("getting a message", CALL, get).await? else {
                break;
            };
            let (exchange, routing_key, returns) = first_death(&message.delivery);
            let raw = RawMessage {
                exchange: &exchange,
                routing_key: &routing_key,
                ..raw(&message.delivery)
            };
            if self.dispatcher.park_crashed(&raw, returns).await.is_err() {
                return Err(BrokerError::DatabaseUnavailable);
            }
            within(
                "acknowledging",
                CALL,
                channel.basic_ack(message.delivery.delivery_tag, BasicAckOptions::default()),
            )
            .await?;
        }
        let _ = within(
            "closing",
            Duration::from_secs(1),
            connection.close(200, "done".into()),
        )
        .await;
        Ok(())
    }

    async fn retry_parked(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.dispatcher.outbox.released() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
            loop {
                match self.dispatcher.retry_due(RETRY_BATCH).await {
                    Ok(tried) if tried == RETRY_BATCH as usize && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(away) => {
                        tracing::warn!(
                            "Parked events cannot be tried while the database is away: {}",
                            away.cause()
                        );
                        break;
                    }
                }
            }
        }
    }
}

/// The once-a-second look after the queue.
struct Watchdog {
    interval: tokio::time::Interval,
    ticks: u32,
    paused_until: u32,
}

impl Watchdog {
    fn new() -> Self {
        let mut interval = interval(Duration::from_secs(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            ticks: 0,
            paused_until: 0,
        }
    }

    async fn tick(&mut self) {
        self.interval.tick().await;
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// Leaves the crashed queue alone for 30 s.
    fn pause(&mut self) {
        self.paused_until = self.ticks.wrapping_add(30);
    }

    fn is_paused(&self) -> bool {
        self.ticks < self.paused_until
    }
}

fn raw(delivery: &Delivery) -> RawMessage<'_> {
    RawMessage {
        exchange: delivery.exchange.as_str(),
        routing_key: delivery.routing_key.as_str(),
        message_id: delivery
            .properties
            .message_id()
            .as_ref()
            .map(|id| id.as_str()),
        body: &delivery.data,
    }
}

/// Where a dead-lettered message was first published, and how often it was returned (RabbitMQ's documentation,
/// "Dead Letter Exchanges", header `x-death`).
fn first_death(delivery: &Delivery) -> (String, String, i64) {
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        _ => String::new(),
    };
    let headers = delivery
        .properties
        .headers()
        .as_ref()
        .map(FieldTable::inner);
    let deaths = headers
        .and_then(|headers| headers.get("x-death"))
        .and_then(AMQPValue::as_array);
    let Some(AMQPValue::FieldTable(death)) = deaths.and_then(|deaths| deaths.as_slice().first())
    else {
        return (
            delivery.exchange.to_string(),
            delivery.routing_key.to_string(),
            0,
        );
    };
    let death = death.inner();
    let keys = death.get("routing-keys").and_then(AMQPValue::as_array);
    let key = keys
        .and_then(|keys| keys.as_slice().first())
        .map(text)
        .unwrap_or_default();
    let count = headers
        .and_then(|headers| headers.get("x-delivery-count"))
        .and_then(AMQPValue::as_long_long_int);
    let count = count.unwrap_or(i64::from(events::topology::DELIVERY_LIMIT));
    (
        death.get("exchange").map(text).unwrap_or_default(),
        key,
        count,
    )
}
