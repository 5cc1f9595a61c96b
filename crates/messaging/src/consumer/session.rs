//! One connection of the consumer, from the subscription to its end.
//!
//! A subscription begins with one delivery in flight: the broker counts a return against every delivery in flight,
//! so a message that may crash its consumer must be alone. After a delivery that was never returned has been
//! settled, the subscription is replaced by one with many deliveries in flight.

use super::Consumer;
use crate::{
    broker::{self, BrokerError, CALL, within},
    topology,
};
use events::RawMessage;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use service_kit::{backoff::Backoff, metrics::finished};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// The most deliveries that are settled in one transaction.
const BATCH: usize = 256;
/// Deliveries in flight: the batch in hand and the next one.
const PREFETCH: u16 = 512;
/// How long deliveries are held while the database does not answer.
const HOLD: Duration = Duration::from_secs(60);
/// The consumers of the queue are counted at every so many ticks of the watchdog.
const CONSUMER_CHECK: u32 = 10;
/// For so many ticks the crashed queue is not read after it could not be read.
const CRASHED_PAUSE: u32 = 30;

impl Consumer {
    /// Consumes over one connection, until `stop` or an error.
    pub(super) async fn session(
        &self,
        declare: bool,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
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
                    finished("consumer");
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
            finished("consumer");
            let widen = !wide && !deliveries[0].redelivered;
            if widen {
                // Before the ack: while its one delivery is in flight, the old subscription gets no other.
                let cancel =
                    channel.basic_cancel(subscription.tag(), BasicCancelOptions::default());
                within("cancelling a subscription", CALL, cancel).await?;
            }
            acknowledge(&channel, &deliveries).await?;
            if widen {
                subscription = self.subscribe(&channel, PREFETCH).await?;
                wide = true;
            }
        }
        close(&connection).await;
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

    /// Subscribes to the queue. A later change of the prefetch would have no effect on this subscription.
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

    /// Takes a delivery out of the stream. The end of the stream is an error: the queue was deleted.
    fn received(&self, delivery: Option<lapin::Result<Delivery>>) -> Result<Delivery, BrokerError> {
        delivery
            .ok_or(BrokerError::Ended(self.dispatcher.queue.name))?
            .map_err(BrokerError::Amqp)
    }

    /// Settles a batch. While the database does not answer, the batch is held without being acknowledged.
    async fn settle(
        &self,
        deliveries: &[Delivery],
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let raw_messages: Vec<RawMessage<'_>> = deliveries.iter().map(raw).collect();
        let began = Instant::now();
        let mut backoff = Backoff::default();
        while let Err(unavailable) = self.dispatcher.settle(&raw_messages).await {
            let cause = unavailable.cause();
            self.status.unhealthy(cause.clone());
            tracing::warn!(
                events = deliveries.len(),
                "Holding events until the database answers: {cause}"
            );
            if began.elapsed() > HOLD || stop.is_cancelled() {
                return Err(BrokerError::DatabaseUnavailable);
            }
            backoff.wait(stop).await;
        }
        self.status.healthy();
        Ok(())
    }

    /// Looks after the queue: moves crashed messages to the parked events, and checks from time to time that the
    /// broker counts a consumer.
    async fn check(&self, channel: &Channel, watchdog: &mut Watchdog) -> Result<(), BrokerError> {
        let queue = self.dispatcher.queue;
        let crashed = topology::depth(channel, queue.crashed).await?;
        if crashed.ready > 0
            && !watchdog.is_paused()
            && let Err(error) = self.drain_crashed().await
        {
            let cause = broker::cause(&error);
            tracing::error!(
                "Cannot read {}: {cause}; look at its first message in the RabbitMQ management UI",
                queue.crashed
            );
            watchdog.pause();
        }
        if watchdog.ticks.is_multiple_of(CONSUMER_CHECK)
            && topology::depth(channel, queue.name).await?.consumers == 0
        {
            return Err(BrokerError::NoConsumers(queue.name));
        }
        Ok(())
    }
}

/// Acknowledges all deliveries up to the last of these.
async fn acknowledge(channel: &Channel, deliveries: &[Delivery]) -> Result<(), BrokerError> {
    let last = deliveries
        .last()
        .map_or(0, |delivery| delivery.delivery_tag);
    let ack = channel.basic_ack(last, BasicAckOptions { multiple: true });
    within("acknowledging", CALL, ack).await
}

/// Closes a connection that is not needed any more.
pub(super) async fn close(connection: &Connection) {
    let close = connection.close(200, "done".into());
    let _ = within("closing", Duration::from_secs(1), close).await;
}

/// A delivery as the contract reads it.
pub(super) fn raw(delivery: &Delivery) -> RawMessage<'_> {
    RawMessage {
        exchange: delivery.exchange.as_str(),
        routing_key: delivery.routing_key.as_str(),
        message_id: delivery
            .properties
            .message_id()
            .as_ref()
            .map(|id| id.as_str()),
        app_id: delivery.properties.app_id().as_ref().map(|id| id.as_str()),
        body: &delivery.data,
    }
}

/// Ticks once a second while no delivery arrives.
struct Watchdog {
    interval: Interval,
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

    /// Leaves the crashed queue unread for a while.
    fn pause(&mut self) {
        self.paused_until = self.ticks.wrapping_add(CRASHED_PAUSE);
    }

    fn is_paused(&self) -> bool {
        self.ticks < self.paused_until
    }
}
