//! Messages that the broker has set aside, because their consumer ended again and again while it had them. Among them
//! are those that lapin cannot read: [`wire`] takes them all as bytes, [`properties`] reads what can be read.

mod properties;
mod wire;

use super::{
    Consumer, NotParked,
    dispatch::{Dispatcher, Reading},
};
use crate::{
    broker::{BrokerError, CALL},
    parked::Disposition,
};
use events::{RawMessage, topology::DELIVERY_LIMIT};
use properties::Properties;
use serde_json::Value;
use std::{future::Future, io};
use tokio::time::timeout;
use wire::{Taken, Wire};

impl Consumer {
    /// Moves the messages of the crashed queue to the parked events.
    pub(super) async fn drain_crashed(&self) -> Result<(), BrokerError> {
        let mut wire = within(Wire::open(self.broker.uri())).await?;
        while let Some(taken) = within(wire.get(self.dispatcher.queue.crashed)).await? {
            let Properties {
                headers,
                message_id,
                app_id,
            } = Properties::read(&taken.properties);
            let death = Death::of(&taken, &headers);
            let raw = RawMessage {
                exchange: &death.exchange,
                routing_key: &death.routing_key,
                message_id: message_id.as_deref(),
                app_id: app_id.as_deref(),
                body: &taken.body,
            };
            let parked = self.dispatcher.park_crashed(&raw, death.returns).await;
            if parked.is_err() {
                return Err(BrokerError::DatabaseUnavailable);
            }
            within(wire.ack(taken.delivery_tag)).await?;
        }
        within(wire.close()).await
    }
}

async fn within<T>(call: impl Future<Output = io::Result<T>>) -> Result<T, BrokerError> {
    match timeout(CALL, call).await {
        Ok(result) => result.map_err(BrokerError::Crashed),
        Err(_) => Err(BrokerError::Timeout("reading the crashed queue")),
    }
}

impl Dispatcher {
    /// Parks a crashed message as dead, unless its event was handled.
    async fn park_crashed(&self, raw: &RawMessage<'_>, returns: i64) -> Result<(), NotParked> {
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
    fn of(taken: &Taken, headers: &Value) -> Self {
        let death = &headers["x-death"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let exchange = text(&death["exchange"]);
        let routing_key = text(&death["routing-keys"][0]);
        let returns = match death {
            Value::Null => 0,
            _ => DELIVERY_LIMIT.into(),
        };
        Self {
            exchange: exchange.unwrap_or_else(|| taken.exchange.clone()),
            routing_key: routing_key.unwrap_or_else(|| taken.routing_key.clone()),
            returns: headers["x-delivery-count"].as_i64().unwrap_or(returns),
        }
    }
}
