//! One connection of the consumer, from the subscription to its end.
//!
//! A subscription begins with one delivery in flight: the broker counts a return against every delivery in flight,
//! so a message that may crash its consumer must be alone. After a delivery that was never returned has been
//! settled, the subscription is replaced by one with many deliveries in flight.

use super::{
    Consumer,
    dispatch::{Incoming, Settled},
    held::Held,
    losses::Losses,
    watchdog::Watchdog,
};
use crate::{
    broker::{self, BrokerError, CALL, within},
    topology::{self, Sight},
};
use events::RawMessage;
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions,
        BasicRejectOptions,
    },
    types::{AMQPValue, FieldTable},
};
use service_kit::{backoff::Backoff, metrics::finished};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The most deliveries that are settled in one transaction.
const BATCH: usize = 256;
/// Deliveries in flight: the batch in hand and the next one.
const PREFETCH: u16 = 512;
/// After so long a batch in hand makes the consumer unhealthy.
const LONG: Duration = Duration::from_secs(5);

impl Consumer {
    /// Consumes over one connection, until `stop` or an error.
    pub(super) async fn session(
        &self,
        declare: bool,
        losses: &mut Losses,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let (connection, mut channel, mut subscription) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = self.connect(declare) => connected?,
        };
        tracing::info!(
            queue = self.dispatcher.queue.name,
            "Connected to RabbitMQ. Waiting for events..."
        );
        self.status.healthy();
        losses.subscribed();

        let mut wide = false;
        let mut held = Held::new();
        let mut watchdog = Watchdog::new();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                // Before the deliveries: they may come without a pause.
                () = watchdog.tick() => {
                    self.check(&connection, &mut watchdog).await?;
                    finished("consumer");
                    if watchdog.is_silent() && held.is_empty() {
                        let prefetch = if wide { PREFETCH } else { 1 };
                        let renewed = self.subscribe_anew(&connection, &channel, prefetch);
                        (channel, subscription) = renewed.await?;
                        watchdog.heard();
                    }
                    continue;
                }
                () = held.due() => {
                    Box::pin(self.try_held(&connection, &channel, &mut held, stop)).await?;
                    continue;
                }
                delivery = subscription.next() => self.received(delivery)?,
            };
            let mut deliveries = vec![first];
            while deliveries.len() < BATCH
                && let Some(delivery) = subscription.next().now_or_never()
            {
                deliveries.push(self.received(delivery)?);
            }
            let settled = self.settle(&connection, &deliveries, false, stop).await?;
            finished("consumer");
            // A delivery that is held does not end the process: others may come beside it, and show who is at fault.
            let widen = !wide && (!deliveries[0].redelivered || !settled.stuck.is_empty());
            if widen {
                // Before the ack: while its one delivery is in flight, the old subscription gets no other.
                let cancel =
                    channel.basic_cancel(subscription.tag(), BasicCancelOptions::default());
                within("cancelling a subscription", CALL, cancel).await?;
            }
            let passed = settled.passed;
            self.finish(&channel, deliveries, settled, &mut held)
                .await?;
            if passed && !held.is_empty() {
                self.decide(&connection, &channel, &mut held, stop).await?;
            }
            if widen {
                subscription = self.subscribe(&channel, PREFETCH).await?;
                wide = true;
            }
            watchdog.heard();
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
            topology::ensure(&connection, &self.broker, Some(self.dispatcher.queue)).await?;
        }
        let (channel, subscription) = self.open(&connection, 1).await?;
        Ok((connection, channel, subscription))
    }

    /// Subscribes over a channel of its own.
    async fn open(
        &self,
        connection: &Connection,
        prefetch: u16,
    ) -> Result<(Channel, lapin::Consumer), BrokerError> {
        let subscribed = async {
            let channel = broker::channel(connection).await?;
            let subscription = self.subscribe(&channel, prefetch).await?;
            Ok((channel, subscription))
        };
        broker::while_open(connection, subscribed).await
    }

    /// Replaces a subscription that has been silent. It cannot ask the broker about it: the broker counts the consumers
    /// of a queue and does not name them, so another consumer hides that this one is not subscribed any more. What the
    /// broker had given to the old subscription goes back to the queue with its channel.
    async fn subscribe_anew(
        &self,
        connection: &Connection,
        old: &Channel,
        prefetch: u16,
    ) -> Result<(Channel, lapin::Consumer), BrokerError> {
        let renewed = self.open(connection, prefetch).await?;
        within("closing a channel", CALL, old.close(200, "silent".into())).await?;
        Ok(renewed)
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
        connection: &Connection,
        deliveries: &[Delivery],
        others_pass: bool,
        stop: &CancellationToken,
    ) -> Result<Settled, BrokerError> {
        let messages: Vec<Incoming<'_>> = deliveries.iter().map(incoming).collect();
        let began = Instant::now();
        let mut backoff = Backoff::default();
        loop {
            let attempt = self.dispatcher.settle(&messages, others_pass);
            let unavailable = match self.observed(attempt).await {
                Ok(settled) => {
                    self.status.healthy();
                    return Ok(settled);
                }
                Err(unavailable) => unavailable,
            };
            let cause = unavailable.cause();
            self.status.unhealthy(cause.clone());
            tracing::warn!(
                events = deliveries.len(),
                "Holding events until the database answers: {cause}"
            );
            if stop.is_cancelled() || self.has_held_enough(connection, began).await? {
                return Err(BrokerError::DatabaseUnavailable);
            }
            backoff.wait(stop).await;
        }
    }

    /// Makes the consumer unhealthy while an attempt takes long.
    async fn observed<T>(&self, attempt: impl Future<Output = T>) -> T {
        tokio::pin!(attempt);
        match timeout(LONG, &mut attempt).await {
            Ok(done) => done,
            Err(_) => {
                let seconds = LONG.as_secs();
                self.status.unhealthy(format!(
                    "a batch of events has been in hand for more than {seconds} s"
                ));
                attempt.await
            }
        }
    }

    /// Whether deliveries that cannot be settled go back to the queue: soon when another consumer may have its database.
    async fn has_held_enough(
        &self,
        connection: &Connection,
        began: Instant,
    ) -> Result<bool, BrokerError> {
        let held = began.elapsed();
        if held < self.limits.hold_beside_others.min(self.limits.hold) {
            return Ok(false);
        }
        let channel = broker::channel(connection).await?;
        let queue = topology::look(&channel, self.dispatcher.queue.name).await?;
        let beside_others = matches!(queue, Sight::Seen(depth) if depth.consumers > 1);
        Ok(beside_others || held > self.limits.hold)
    }

    /// Acknowledges the deliveries of a batch, except those that are stuck, which are held, and those that the database
    /// refuses to park.
    async fn finish(
        &self,
        channel: &Channel,
        deliveries: Vec<Delivery>,
        settled: Settled,
        held: &mut Held,
    ) -> Result<(), BrokerError> {
        if settled.stuck.is_empty() && settled.refused.is_empty() && held.is_empty() {
            return acknowledge(channel, &deliveries).await;
        }
        for (position, delivery) in deliveries.into_iter().enumerate() {
            if settled.stuck.contains(&position) {
                held.push(delivery);
            } else {
                release(channel, &delivery, settled.refused.contains(&position)).await?;
            }
        }
        if !held.is_empty() && !settled.stuck.is_empty() {
            let cause = settled.cause;
            tracing::warn!(
                events = held.len(),
                "Holding events: the database is slow or locked: {cause}"
            );
            self.status
                .unhealthy(format!("the database is slow or locked: {cause}"));
        }
        Ok(())
    }

    /// Tries some of the deliveries that are held. When one passes, the others are decided.
    async fn try_held(
        &self,
        connection: &Connection,
        channel: &Channel,
        held: &mut Held,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let probes = held.probes();
        let settled = self.settle(connection, &probes, false, stop).await?;
        let passed = settled.passed;
        let progress = settled.stuck.len() < probes.len();
        self.finish(channel, probes, settled, held).await?;
        if passed {
            self.decide(connection, channel, held, stop).await?;
        } else if !progress {
            held.rest();
        }
        Ok(())
    }

    /// Settles all deliveries that are held, after another event has passed: those that still fail are parked as slow.
    async fn decide(
        &self,
        connection: &Connection,
        channel: &Channel,
        held: &mut Held,
        stop: &CancellationToken,
    ) -> Result<(), BrokerError> {
        let deliveries = held.take();
        if deliveries.is_empty() {
            return Ok(());
        }
        for batch in deliveries.chunks(BATCH) {
            let settled = self.settle(connection, batch, true, stop).await?;
            for (position, delivery) in batch.iter().enumerate() {
                release(channel, delivery, settled.refused.contains(&position)).await?;
            }
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

/// Acknowledges one delivery, while others before it are held; one that is refused goes to the crashed queue.
async fn release(
    channel: &Channel,
    delivery: &Delivery,
    is_refused: bool,
) -> Result<(), BrokerError> {
    let tag = delivery.delivery_tag;
    if is_refused {
        let reject = channel.basic_reject(tag, BasicRejectOptions::default());
        return within("rejecting", CALL, reject).await;
    }
    let ack = channel.basic_ack(tag, BasicAckOptions::default());
    within("acknowledging", CALL, ack).await
}

/// Closes a connection that is not needed any more.
async fn close(connection: &Connection) {
    let close = connection.close(200, "done".into());
    let _ = within("closing", Duration::from_secs(1), close).await;
}

/// A delivery as the contract reads it.
fn raw(delivery: &Delivery) -> RawMessage<'_> {
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

/// A delivery with the number of its returns, which quorum queues count (RabbitMQ's documentation, "Quorum Queues",
/// header `x-delivery-count`).
fn incoming(delivery: &Delivery) -> Incoming<'_> {
    let headers = delivery.properties.headers().as_ref();
    let returns = headers
        .and_then(|headers| headers.inner().get("x-delivery-count"))
        .and_then(AMQPValue::as_long_long_int);
    Incoming {
        raw: raw(delivery),
        returns: returns.unwrap_or_default(),
    }
}
