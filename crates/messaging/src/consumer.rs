//! The consumer: from a queue to [`Desk::settle`], and only then the acknowledgement.
//!
//! A subscription starts with one delivery in flight at a time. The broker counts every return against all
//! that were in flight, so while something may be killing consumers it must be alone. After a delivery that was
//! never returned before has been settled, the subscription is opened wide.

use crate::{
    Handlers, Outbox, Status,
    batch::Desk,
    broker::{self, Backoff, Broker, CALL, Fault, cause, within},
    topology,
};
use events::{Arrival, topology::Queue};
use futures_util::{FutureExt, StreamExt};
use lapin::{
    Channel, Connection,
    message::Delivery,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions},
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
const DEAFNESS_CHECK: u32 = 10;

/// Consumes one queue with the service's handlers, and tries its parked events again.
pub struct Consumer {
    broker: Broker,
    desk: Desk,
    status: Status,
}

impl Consumer {
    /// A consumer of `queue`; nothing happens before [`Consumer::run`].
    pub fn new(broker: Broker, outbox: Outbox, queue: &'static Queue, handlers: Handlers) -> Self {
        Self { broker, desk: Desk { queue, outbox, handlers }, status: Status::starting() }
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
            let Err(fault) = self.session(declare, stop).await else { return };
            let cause = cause(&fault);
            self.status.unwell(cause.clone());
            tracing::warn!("Lost the subscription to {} on RabbitMQ: {cause}", self.desk.queue.name);
            // What lapin cannot read comes at once again, until the broker sets it aside.
            declare = !fault.is_unreadable();
            if fault.is_unreadable() || began.elapsed() > Duration::from_secs(5) {
                backoff.reset();
            }
        }
    }

    /// Waits until the database answers: deliveries that could not be settled would only be returned.
    async fn database_answers(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let answer = tokio::select! {
                () = stop.cancelled() => return false,
                answer = self.desk.outbox.pool().acquire() => answer,
            };
            match answer {
                Ok(_) => return true,
                Err(error) => {
                    self.status.unwell(format!("the database is away: {error}"));
                    tracing::warn!(
                        "Not subscribing to {}: the database is away: {error}",
                        self.desk.queue.name
                    );
                }
            }
            backoff.wait(stop).await;
        }
    }

    /// One connection, from subscribing until told to stop, or until a fault.
    async fn session(&self, declare: bool, stop: &CancellationToken) -> Result<(), Fault> {
        let (connection, channel, mut subscription) = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = self.connect(declare) => connected?,
        };
        tracing::info!(queue = self.desk.queue.name, "Connected to RabbitMQ. Waiting for events...");
        self.status.well();

        let mut wide = false;
        let mut pulse = Pulse::new();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                delivery = subscription.next() => self.received(delivery)?,
                () = pulse.beat() => {
                    self.check(&channel, &mut pulse).await?;
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
                let cancel = channel.basic_cancel(subscription.tag(), BasicCancelOptions::default());
                within("cancelling a subscription", CALL, cancel).await?;
            }
            let last = deliveries.last().map_or(0, |delivery| delivery.delivery_tag);
            within("acknowledging", CALL, channel.basic_ack(last, BasicAckOptions { multiple: true }))
                .await?;
            if open_wide {
                subscription = self.subscribe(&channel, PREFETCH).await?;
                wide = true;
            }
        }
        let _ = within("closing", Duration::from_secs(1), connection.close(200, "stopped".into())).await;
        Ok(())
    }

    async fn connect(&self, declare: bool) -> Result<(Connection, Channel, lapin::Consumer), Fault> {
        let connection = self.broker.connect("consume").await?;
        if declare {
            topology::ensure(&connection, &self.broker).await?;
        }
        let channel = broker::channel(&connection).await?;
        let subscription = self.subscribe(&channel, 1).await?;
        Ok((connection, channel, subscription))
    }

    /// Changing the prefetch of a live subscription does nothing: it is read when one begins.
    async fn subscribe(&self, channel: &Channel, prefetch: u16) -> Result<lapin::Consumer, Fault> {
        within("setting the prefetch", CALL, channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        let consume = channel.basic_consume(
            self.desk.queue.name.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        within("subscribing", CALL, consume).await
    }

    /// The stream's end is a fault too: that is how a deleted queue shows.
    fn received(&self, delivery: Option<lapin::Result<Delivery>>) -> Result<Delivery, Fault> {
        delivery.ok_or(Fault::Ended(self.desk.queue.name))?.map_err(Fault::Amqp)
    }

    /// Settles a batch; while the database is away it is held, unacknowledged.
    async fn settle(&self, deliveries: &[Delivery], stop: &CancellationToken) -> Result<(), Fault> {
        let arrivals: Vec<Arrival<'_>> = deliveries.iter().map(arrival).collect();
        let began = Instant::now();
        let mut backoff = Backoff::default();
        while let Err(away) = self.desk.settle(&arrivals).await {
            let cause = away.cause();
            self.status.unwell(cause.clone());
            tracing::warn!(events = deliveries.len(), "Holding events while the database is away: {cause}");
            if began.elapsed() > HOLD || stop.is_cancelled() {
                return Err(Fault::DatabaseAway);
            }
            backoff.wait(stop).await;
        }
        self.status.well();
        Ok(())
    }

    /// Looks after the queue once a second: what the broker set aside, and now and then whether we are heard.
    async fn check(&self, channel: &Channel, pulse: &mut Pulse) -> Result<(), Fault> {
        let (crashed, _) = topology::depth(channel, self.desk.queue.crashed).await?;
        if crashed > 0
            && !pulse.is_resting()
            && let Err(fault) = self.drain_crashed().await
        {
            let cause = cause(&fault);
            tracing::error!(
                "Cannot read {}: {cause}; look at its first message in the RabbitMQ management UI",
                self.desk.queue.crashed
            );
            pulse.rest();
        }
        if pulse.beats.is_multiple_of(DEAFNESS_CHECK) {
            let (_, consumers) = topology::depth(channel, self.desk.queue.name).await?;
            if consumers == 0 {
                return Err(Fault::Deaf(self.desk.queue.name));
            }
        }
        Ok(())
    }

    /// Moves what the broker set aside to the parked events. On a connection of its own: a message that lapin
    /// cannot read ends the connection that it comes over.
    async fn drain_crashed(&self) -> Result<(), Fault> {
        let connection = self.broker.connect("crashed").await?;
        let channel = broker::channel(&connection).await?;
        let crashed = self.desk.queue.crashed;
        loop {
            let get = channel.basic_get(crashed.into(), BasicGetOptions::default());
            let Some(message) = within("getting a message", CALL, get).await? else { break };
            let (exchange, routing_key, returns) = first_death(&message.delivery);
            let arrival =
                Arrival { exchange: &exchange, routing_key: &routing_key, ..arrival(&message.delivery) };
            if self.desk.bury_crashed(&arrival, returns).await.is_err() {
                return Err(Fault::DatabaseAway);
            }
            within(
                "acknowledging",
                CALL,
                channel.basic_ack(message.delivery.delivery_tag, BasicAckOptions::default()),
            )
            .await?;
        }
        let _ = within("closing", Duration::from_secs(1), connection.close(200, "done".into())).await;
        Ok(())
    }

    async fn retry_parked(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.desk.outbox.released() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
            loop {
                match self.desk.retry_due(RETRY_BATCH).await {
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
struct Pulse {
    interval: tokio::time::Interval,
    beats: u32,
    rest_until: u32,
}

impl Pulse {
    fn new() -> Self {
        let mut interval = interval(Duration::from_secs(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, beats: 0, rest_until: 0 }
    }

    async fn beat(&mut self) {
        self.interval.tick().await;
        self.beats = self.beats.wrapping_add(1);
    }

    /// Leaves the crashed queue alone for 30 s.
    fn rest(&mut self) {
        self.rest_until = self.beats.wrapping_add(30);
    }

    fn is_resting(&self) -> bool {
        self.beats < self.rest_until
    }
}

fn arrival(delivery: &Delivery) -> Arrival<'_> {
    Arrival {
        exchange: delivery.exchange.as_str(),
        routing_key: delivery.routing_key.as_str(),
        message_id: delivery.properties.message_id().as_ref().map(|id| id.as_str()),
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
    let headers = delivery.properties.headers().as_ref().map(FieldTable::inner);
    let deaths = headers.and_then(|headers| headers.get("x-death")).and_then(AMQPValue::as_array);
    let Some(AMQPValue::FieldTable(death)) = deaths.and_then(|deaths| deaths.as_slice().first()) else {
        return (delivery.exchange.to_string(), delivery.routing_key.to_string(), 0);
    };
    let death = death.inner();
    let keys = death.get("routing-keys").and_then(AMQPValue::as_array);
    let key = keys.and_then(|keys| keys.as_slice().first()).map(text).unwrap_or_default();
    let count =
        headers.and_then(|headers| headers.get("x-delivery-count")).and_then(AMQPValue::as_long_long_int);
    let count = count.unwrap_or(i64::from(events::topology::DELIVERY_LIMIT));
    (death.get("exchange").map(text).unwrap_or_default(), key, count)
}
