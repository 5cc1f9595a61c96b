//! The order in which events are shown: a chain at a time, a cause before its effects.

use super::collect::{Event, Events};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An event without a known chain is one by itself.
pub(super) fn by_chain(events: Events) -> BTreeMap<Uuid, Events> {
    let mut chains: BTreeMap<Uuid, Events> = BTreeMap::new();
    for (id, event) in events {
        let chain = chains
            .entry(event.correlation_id.unwrap_or(id))
            .or_default();
        chain.insert(id, event);
    }
    chains
}

/// The ids of the events, a cause before its effects, and otherwise by time.
pub(super) fn in_order(events: &Events) -> Vec<Uuid> {
    let cause = |event: &Event| {
        event
            .outbox
            .as_ref()
            .and_then(|(_, sent)| sent.causation_id)
    };
    let caused_by = |parent: Option<Uuid>| {
        let of_parent = events.iter().filter(move |(_, event)| {
            cause(event).filter(|cause| events.contains_key(cause)) == parent
        });
        let mut ids: Vec<_> = of_parent
            .map(|(id, event)| (event.first_at(), *id))
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.into_iter().map(|(_, id)| id)
    };
    let mut open: Vec<Uuid> = caused_by(None).collect();
    let mut order = Vec::with_capacity(events.len());
    while let Some(id) = open.pop() {
        order.push(id);
        open.extend(caused_by(Some(id)));
    }
    order
}

impl Event {
    fn first_at(&self) -> Option<DateTime<Utc>> {
        let sent = self.outbox.iter().map(|(_, sent)| sent.created_at);
        sent.chain(
            self.received
                .iter()
                .map(|(_, received)| received.received_at),
        )
        .chain(self.parked.iter().map(|(_, parked)| parked.first_at))
        .chain(
            self.notifications
                .iter()
                .map(|(_, written)| written.written_at),
        )
        .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use events::topology::AUTH;
    use messaging::admin::ChainEvent;

    fn event(id: u128, cause: Option<u128>, milliseconds: i64) -> (Uuid, Event) {
        let id = Uuid::from_u128(id);
        let sent = ChainEvent {
            event_id: id,
            routing_key: "a.b".into(),
            causation_id: cause.map(Uuid::from_u128),
            created_at: DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds),
            published_at: None,
            unroutable_at: None,
            refused_at: None,
            has_text: true,
            is_obsolete: false,
        };
        let event = Event {
            outbox: Some((&AUTH, sent)),
            ..Event::default()
        };
        (id, event)
    }

    #[test]
    fn a_cause_stands_before_its_effects_whatever_the_clocks_say() {
        let events = Events::from([
            event(1, Some(4), 0),
            event(2, Some(4), 5),
            event(3, Some(9), 8),
            event(4, None, 5),
            event(5, Some(1), 5),
        ]);
        let order = in_order(&events).into_iter().map(|id| id.as_u128());
        assert_eq!(order.collect::<Vec<_>>(), [4, 1, 5, 2, 3]);
    }
}
