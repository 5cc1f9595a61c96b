//! Messages that the broker has set aside, because their consumer ended again and again while it had them.

use super::{
    Consumer, DatabaseUnavailable,
    dispatch::{Dispatcher, Reading},
    session::{close, raw},
};
use crate::{
    broker::{self, BrokerError, CALL, within},
    parked::Disposition,
};
use events::{RawMessage, topology::DELIVERY_LIMIT};
use lapin::{
    message::Delivery,
    options::{BasicAckOptions, BasicGetOptions},
    types::{AMQPValue, FieldTable},
};

impl Consumer {
    /// Moves the messages of the crashed queue to the parked events. It uses a connection of its own: a message
    /// that lapin cannot read ends the connection that it comes over.
    pub(super) async fn drain_crashed(&self) -> Result<(), BrokerError> {
        let connection = self.broker.connect("crashed").await?;
        let channel = broker::channel(&connection).await?;
        let crashed = self.dispatcher.queue.crashed;
        loop {
            let get = channel.basic_get(crashed.into(), BasicGetOptions::default());
            let Some(message) = within("getting a message", CALL, get).await? else {
                break;
            };
            let death = Death::of(&message.delivery);
            let raw = RawMessage {
                exchange: &death.exchange,
                routing_key: &death.routing_key,
                ..raw(&message.delivery)
            };
            let parked = self.dispatcher.park_crashed(&raw, death.returns).await;
            if parked.is_err() {
                return Err(BrokerError::DatabaseUnavailable);
            }
            let ack = channel.basic_ack(message.delivery.delivery_tag, BasicAckOptions::default());
            within("acknowledging", CALL, ack).await?;
        }
        close(&connection).await;
        Ok(())
    }
}

impl Dispatcher {
    /// Parks a crashed message as dead, unless its event was handled.
    async fn park_crashed(
        &self,
        raw: &RawMessage<'_>,
        returns: i64,
    ) -> Result<(), DatabaseUnavailable> {
        let disposition = Disposition::crashed(returns);
        match self.read(raw) {
            Ok(Reading::Event(event)) => self.park_event(&event, disposition).await,
            Ok(Reading::NoHandler(meta)) => self.refuse(meta.event_id, raw, disposition).await,
            Err(refused) => {
                let reason = format!("{}: {}", disposition.reason, refused.disposition.reason);
                let disposition = Disposition {
                    reason,
                    ..disposition
                };
                self.refuse(refused.event_id, raw, disposition).await
            }
        }
    }
}

/// Where a dead-lettered message was first published, and how often it was returned (RabbitMQ's documentation,
/// "Dead Letter Exchanges", header `x-death`).
struct Death {
    exchange: String,
    routing_key: String,
    returns: i64,
}

impl Death {
    fn of(delivery: &Delivery) -> Self {
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
        let Some(AMQPValue::FieldTable(death)) =
            deaths.and_then(|deaths| deaths.as_slice().first())
        else {
            return Self {
                exchange: delivery.exchange.to_string(),
                routing_key: delivery.routing_key.to_string(),
                returns: 0,
            };
        };
        let death = death.inner();
        let keys = death.get("routing-keys").and_then(AMQPValue::as_array);
        let routing_key = keys.and_then(|keys| keys.as_slice().first()).map(text);
        let returns = headers
            .and_then(|headers| headers.get("x-delivery-count"))
            .and_then(AMQPValue::as_long_long_int);
        Self {
            exchange: death.get("exchange").map(text).unwrap_or_default(),
            routing_key: routing_key.unwrap_or_default(),
            returns: returns.unwrap_or(i64::from(DELIVERY_LIMIT)),
        }
    }
}
