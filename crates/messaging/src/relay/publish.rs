//! Publishes a batch of events on one channel, and reads its confirms.

use super::confirming;
use crate::{
    broker::{Broker, BrokerError, CALL},
    outbox::Outgoing,
    span,
};
use events::{
    EventId,
    topology::{EXCHANGE, is_routed},
};
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesOrdered};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, PublisherConfirm,
    options::BasicPublishOptions,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    pin::pin,
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// How often a batch that is not confirmed looks whether the broker blocks publishers.
const LOOK: Duration = Duration::from_secs(1);

/// A connection to publish over, and its channel with confirms.
#[derive(Debug)]
pub(crate) struct Link {
    /// Closes the connection when dropped.
    pub(crate) connection: Connection,
    pub(crate) channel: Channel,
}

/// The result of publishing a batch. What it does not name is not known to be published.
#[derive(Default)]
pub(crate) struct Receipt {
    /// The broker confirmed these and returned none of them.
    pub(crate) published: HashSet<EventId>,
    /// No queue took these.
    pub(crate) returned: HashSet<EventId>,
    /// The broker refused these, and closed the channel each time; with its reason.
    pub(super) refused: HashMap<EventId, String>,
    /// Why the batch is not complete.
    pub(crate) fault: Option<BrokerError>,
    /// The broker blocked publishers meanwhile.
    pub(super) was_blocked: bool,
}

impl Receipt {
    /// Whether the fate of an event is decided for now.
    pub(super) fn settles(&self, id: EventId) -> bool {
        self.published.contains(&id)
            || self.returned.contains(&id)
            || self.refused.contains_key(&id)
    }

    pub(super) fn absorb(&mut self, other: Receipt) {
        self.published.extend(other.published);
        self.returned.extend(other.returned);
        self.refused.extend(other.refused);
        self.fault = other.fault;
        self.was_blocked |= other.was_blocked;
    }

    /// Counts and logs the published events, each in its span, and warns of the others, a line for each key: there may
    /// be many, and they come again every minute.
    pub(super) fn report(&self, events: &[Outgoing]) {
        let mut returned = BTreeMap::<&str, usize>::new();
        let mut refused = BTreeMap::<(&str, &str), usize>::new();
        for event in events {
            let key = event.routing_key.as_str();
            if self.published.contains(&event.event_id) {
                metrics::counter!("medtrack_events_published_total", "routing_key" => event.routing_key.clone())
                    .increment(1);
                event
                    .span()
                    .in_scope(|| tracing::info!("Published event: {key}"));
            } else if self.returned.contains(&event.event_id) {
                *returned.entry(key).or_default() += 1;
            } else if let Some(reason) = self.refused.get(&event.event_id) {
                *refused.entry((key, reason)).or_default() += 1;
            }
        }
        for (key, events) in returned {
            tracing::warn!(
                events,
                "No queue takes {key}: kept in the outbox, next try in a minute; try: ./medtrack topology apply"
            );
        }
        for ((key, reason), events) in refused {
            tracing::error!(
                events,
                "RabbitMQ refuses {key}: {reason}; kept in the outbox, next try in a minute; try: compare the topic \
                 permissions of this login with ./medtrack events list"
            );
        }
    }
}

impl Outgoing {
    pub(super) fn span(&self) -> Span {
        span::of_ids(self.event_id, Some(self.correlation_id), &self.routing_key)
    }
}

impl Link {
    /// Whether the broker has closed the channel and kept the connection.
    pub(super) fn is_closed_alone(&self) -> bool {
        !self.channel.status().connected() && self.connection.status().connected()
    }

    /// Opens another channel.
    pub(super) async fn reopen(&mut self) -> Result<(), BrokerError> {
        self.channel = confirming(&self.connection).await?;
        Ok(())
    }

    /// Publishes a batch, and awaits all its confirms for [`CALL`]. With `stop` it waits longer while the broker blocks
    /// publishers, until `stop`: to make another connection would not help, and lapin 4.12.3 does not end a connection
    /// that is blocked.
    ///
    /// lapin attaches a returned message to whichever confirm comes next, so only the set of a whole batch can be
    /// trusted: an event is published when it was acked and its `message_id` is not among the returned ones. The link
    /// must not be used again after a fault.
    pub(crate) async fn publish(
        &self,
        events: &[Outgoing],
        broker: &Broker,
        stop: Option<&CancellationToken>,
    ) -> Receipt {
        let mut slots = Vec::with_capacity(events.len());
        let mut was_blocked = false;
        let outcome = {
            let mut sending = pin!(send(&self.channel, events, broker, &mut slots));
            let mut waited = Duration::ZERO;
            loop {
                if let Ok(sent) = timeout(LOOK, &mut sending).await {
                    break sent.map_err(BrokerError::Amqp);
                }
                let is_blocked = self.connection.status().blocked();
                if is_blocked && stop.is_some_and(|stop| !stop.is_cancelled()) {
                    if !was_blocked {
                        tracing::warn!(
                            "RabbitMQ has no memory or no disk left and takes no events; they wait; try: ./medtrack doctor"
                        );
                    }
                    (was_blocked, waited) = (true, Duration::ZERO);
                    continue;
                }
                waited += LOOK;
                if waited >= CALL || (is_blocked && stop.is_some()) {
                    break Err(BrokerError::Timeout("publishing"));
                }
            }
        };
        let mut receipt = read(slots, outcome.is_ok());
        receipt.was_blocked = was_blocked;
        receipt.fault = match outcome {
            Ok(()) if events.iter().all(|event| receipt.settles(event.event_id)) => None,
            Ok(()) => Some(BrokerError::Nacked),
            Err(fault) => Some(fault),
        };
        receipt
    }
}

/// An event that was sent, and what the broker said.
struct Slot {
    event_id: EventId,
    confirm: PublisherConfirm,
    confirmation: Option<Confirmation>,
}

/// Sends the events, then awaits their confirms. What it has learned stands in `slots`, also when it is dropped.
async fn send(
    channel: &Channel,
    events: &[Outgoing],
    broker: &Broker,
    slots: &mut Vec<Slot>,
) -> lapin::Result<()> {
    let mut sending: FuturesOrdered<_> = events
        .iter()
        .map(|event| {
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
        })
        .collect();
    for event in events {
        let Some(confirm) = sending.next().await else {
            break;
        };
        slots.push(Slot {
            event_id: event.event_id,
            confirm: confirm?,
            confirmation: None,
        });
    }
    for slot in slots {
        slot.confirmation = Some((&mut slot.confirm).await?);
    }
    Ok(())
}

/// Reads which events were published and which were returned.
///
/// After a fault not every ack has come, so a returned message may still wait for an ack to carry it. Every return
/// precedes its own ack, and each ack takes the return that waits longest: an event can be among those that wait only
/// when its own ack took the return of another event. Such an event is not taken as published. The second look finds
/// the acks that came during the first one, because they may carry the returns of events that were acked in the first.
fn read(mut slots: Vec<Slot>, is_complete: bool) -> Receipt {
    look(&mut slots);
    let is_acked = |slot: &&Slot| matches!(slot.confirmation, Some(Confirmation::Ack(_)));
    let acked: Vec<EventId> = slots
        .iter()
        .filter(is_acked)
        .map(|slot| slot.event_id)
        .collect();
    look(&mut slots);
    let mut returned = HashSet::new();
    let mut carriers = HashSet::new();
    for slot in slots {
        let message = slot.confirmation.and_then(Confirmation::take_message);
        let id = message.and_then(|message| message.delivery.properties.message_id().clone());
        if let Some(id) = id.and_then(|id| id.as_str().parse().ok()) {
            returned.insert(id);
            carriers.insert(slot.event_id);
        }
    }
    let published = acked
        .into_iter()
        .filter(|id| !returned.contains(id) && (is_complete || !carriers.contains(id)));
    Receipt {
        published: published.collect(),
        returned,
        ..Default::default()
    }
}

/// Takes the confirms that have come.
fn look(slots: &mut [Slot]) {
    for slot in slots.iter_mut().filter(|slot| slot.confirmation.is_none()) {
        if let Some(Ok(confirmation)) = (&mut slot.confirm).now_or_never() {
            slot.confirmation = Some(confirmation);
        }
    }
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
