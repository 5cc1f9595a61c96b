//! Publishes a batch of events on one channel, and reads its confirms.

use crate::{broker::Broker, outbox::Outgoing, span};
use events::{
    EventId,
    topology::{EXCHANGE, is_routed},
};
use futures_util::future::try_join_all;
use lapin::{BasicProperties, Channel, Confirmation, options::BasicPublishOptions};
use std::collections::HashSet;
use tracing::Span;

/// The result of publishing a batch.
#[derive(Default)]
pub(crate) struct Receipt {
    /// The broker confirmed these and returned none of them.
    pub(crate) published: HashSet<EventId>,
    /// No queue took these.
    pub(crate) returned: HashSet<EventId>,
}

impl Receipt {
    pub(super) fn len(&self) -> usize {
        self.published.len() + self.returned.len()
    }

    /// Counts and logs each event of the batch, in its span.
    pub(super) fn report(&self, events: &[Outgoing]) {
        for event in events {
            if self.published.contains(&event.event_id) {
                metrics::counter!("medtrack_events_published_total", "routing_key" => event.routing_key.clone())
                    .increment(1);
                event
                    .span()
                    .in_scope(|| tracing::info!("Published event: {}", event.routing_key));
            } else if self.returned.contains(&event.event_id) {
                event.span().in_scope(|| {
                    tracing::warn!(
                        "No queue takes {}: kept in the outbox, next try in a minute; try: ./medtrack topology apply",
                        event.routing_key
                    );
                });
            }
        }
    }
}

impl Outgoing {
    pub(super) fn span(&self) -> Span {
        span::of_ids(self.event_id, Some(self.correlation_id), &self.routing_key)
    }
}

/// Publishes a batch on one channel, and awaits all its confirms.
///
/// lapin attaches a returned message to whichever confirm comes next, so only the set of a whole batch can be trusted:
/// an event is published when it was acked and its `message_id` is not among the returned ones.
pub(crate) async fn publish_batch(
    channel: &Channel,
    events: &[Outgoing],
    broker: &Broker,
) -> lapin::Result<Receipt> {
    let sending = events.iter().map(|event| {
        let options = BasicPublishOptions {
            mandatory: is_routed(&event.routing_key),
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
    let confirms = try_join_all(sending).await?;
    let confirmations = try_join_all(confirms).await?;
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
