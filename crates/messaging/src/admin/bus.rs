//! The bus: publishing an event by hand, the depth of queues, and a copy of what passes.

use crate::{
    Broker, BrokerError,
    broker::{self, CALL, within},
    outbox::Outgoing,
    relay::{self, Link},
    topology::{self, Sight},
};
use events::{EventId, topology::EXCHANGE};
use futures_util::StreamExt as _;
use lapin::{
    message::Delivery,
    options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions},
    types::FieldTable,
};
use std::slice;
use uuid::Uuid;

/// Publishes an event and waits for the broker's confirm. Returns false when no queue received it.
pub async fn publish(
    broker: &Broker,
    routing_key: &str,
    event_id: EventId,
    correlation_id: Uuid,
    envelope: String,
) -> Result<bool, BrokerError> {
    let connection = broker.connect("publish by hand").await?;
    let channel = relay::confirming(&connection).await?;
    let link = Link {
        connection,
        channel,
    };
    let event = Outgoing {
        event_id,
        routing_key: routing_key.to_owned(),
        correlation_id,
        envelope,
    };
    let receipt = link.publish(slice::from_ref(&event), broker, None).await;
    if let Some(fault) = receipt.fault {
        return Err(fault);
    }
    Ok(receipt.published.contains(&event_id) && events::topology::is_routed(routing_key))
}

/// Returns the depth of each queue, in the order of `queues`; `None` for a queue that does not exist. It asks the
/// broker itself, because the numbers of the management API are some seconds old.
pub async fn depths(
    broker: &Broker,
    queues: &[&str],
) -> Result<Vec<Option<topology::Depth>>, BrokerError> {
    let connection = broker.connect("look").await?;
    let mut depths = Vec::with_capacity(queues.len());
    for queue in queues {
        // A look at a missing queue closes the channel, so each has its own.
        let channel = broker::channel(&connection).await?;
        depths.push(match topology::look(&channel, queue).await? {
            Sight::Seen(depth) => Some(depth),
            Sight::Missing | Sight::Refused => None,
        });
    }
    Ok(depths)
}

/// Calls `on_message` with the routing key and the body of every message that is published under a key that
/// `patterns` select, until the connection is lost. It reads from a queue of its own, which the broker deletes with
/// the connection.
pub async fn watch(
    broker: &Broker,
    patterns: &[String],
    mut on_message: impl FnMut(&str, &[u8]),
) -> Result<(), BrokerError> {
    let connection = broker.connect("watch").await?;
    let channel = broker::channel(&connection).await?;
    let own = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..Default::default()
    };
    let queue = within(
        "declaring a queue",
        CALL,
        channel.queue_declare("".into(), own, FieldTable::default()),
    )
    .await?;
    for pattern in patterns {
        let bind = channel.queue_bind(
            queue.name().clone(),
            EXCHANGE.into(),
            pattern.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        within("binding a queue", CALL, bind).await?;
    }
    let options = BasicConsumeOptions {
        no_ack: true,
        exclusive: true,
        ..Default::default()
    };
    let consume = channel.basic_consume(
        queue.name().clone(),
        "".into(),
        options,
        FieldTable::default(),
    );
    let mut deliveries = within("subscribing", CALL, consume).await?;
    while let Some(delivery) = deliveries.next().await {
        let Delivery {
            routing_key, data, ..
        } = delivery.map_err(BrokerError::Amqp)?;
        on_message(routing_key.as_str(), &data);
    }
    Err(BrokerError::Closed)
}
