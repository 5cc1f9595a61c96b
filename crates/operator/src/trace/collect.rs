//! Gathers events from the databases of all services.

use super::Databases;
use crate::views::{self, Notification, NotificationFilter};
use chrono::{DateTime, Utc};
use events::topology::Service;
use messaging::admin::{self, ChainEvent, InboxEntry, Named, ParkedState};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The newest chains of an id, and the newest parked events that name it, that are read.
const NEWEST: i64 = 20;

/// Selects events.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Events, aggregates, chains, or ids that stand in parked events.
    pub(super) ids: Vec<Uuid>,
    /// Addresses that stand in parked events.
    pub(super) emails: Vec<String>,
    /// Events, whoever published them.
    pub(super) event_ids: Vec<Uuid>,
    /// What the events led to.
    pub(super) notifications: Vec<Notification>,
}

/// An event, as all services know it.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) routing_key: String,
    pub(super) correlation_id: Option<Uuid>,
    /// In the outbox of one of our services.
    pub(super) outbox: Option<(&'static Service, ChainEvent)>,
    pub(super) received: Vec<(&'static Service, InboxEntry)>,
    pub(super) parked: Vec<(&'static Service, ParkedState)>,
    /// The notifications that it led to, and the service that wrote them.
    pub(super) notifications: Vec<(&'static Service, Notification)>,
}

/// All events, by their ids.
pub(super) type Events = BTreeMap<Uuid, Event>;

/// Returns the events that `wanted` selects, with the other events of their chains.
pub(super) async fn events(databases: &mut Databases, wanted: &Wanted) -> sqlx::Result<Events> {
    let mut events = Events::new();
    let mut chains = chains(databases, &wanted.ids).await?;
    let named = Named {
        event_ids: wanted.event_ids.clone(),
        ids: wanted.ids.clone(),
        emails: wanted.emails.clone(),
    };
    for (service, connection) in databases.iter_mut() {
        for parked in admin::parked_states(connection, &named, NEWEST).await? {
            chains.extend(parked.correlation_id);
            events
                .entry(parked.event_id)
                .or_default()
                .park(service, parked);
        }
    }
    for (service, connection) in databases.iter_mut() {
        for correlation_id in &chains {
            for sent in admin::events_of_chain(connection, *correlation_id).await? {
                let event = events.entry(sent.event_id).or_default();
                event.routing_key.clone_from(&sent.routing_key);
                event.correlation_id = Some(*correlation_id);
                event.outbox = Some((service, sent));
            }
        }
    }
    let sources = wanted
        .notifications
        .iter()
        .map(|written| written.source_event);
    let others = wanted.event_ids.iter().copied().chain(sources);
    let causes = causes(&events);
    let ids: BTreeSet<Uuid> = events
        .keys()
        .chain(causes.keys())
        .copied()
        .chain(others)
        .collect();
    complete(databases, &mut events, ids.into_iter().collect()).await?;
    for (cause, correlation_id) in causes {
        if let Some(event) = events.get_mut(&cause) {
            event.correlation_id.get_or_insert(correlation_id);
        }
    }
    Ok(events)
}

/// What caused the events, with the chains: an event of another publisher stands in no outbox.
fn causes(events: &Events) -> BTreeMap<Uuid, Uuid> {
    let caused = events.values().filter_map(|event| {
        let (_, sent) = event.outbox.as_ref()?;
        Some((sent.causation_id?, event.correlation_id?))
    });
    caused.collect()
}

/// The newest chains of these ids.
async fn chains(databases: &mut Databases, ids: &[Uuid]) -> sqlx::Result<BTreeSet<Uuid>> {
    let mut began: BTreeMap<Uuid, DateTime<Utc>> = BTreeMap::new();
    for (_, connection) in databases {
        for id in ids {
            for chain in admin::chains_of(connection, *id, NEWEST).await? {
                let earliest = began.entry(chain.correlation_id).or_insert(chain.began_at);
                *earliest = chain.began_at.min(*earliest);
            }
        }
    }
    let mut chains: Vec<_> = began.into_iter().collect();
    chains.sort_by_key(|(_, began_at)| std::cmp::Reverse(*began_at));
    chains.truncate(NEWEST as usize);
    Ok(chains.into_iter().map(|(id, _)| id).collect())
}

/// Adds what each service did with the events, and events that only an inbox or a notification shows.
async fn complete(
    databases: &mut Databases,
    events: &mut Events,
    ids: Vec<Uuid>,
) -> sqlx::Result<()> {
    let all = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let caused = NotificationFilter {
        source_events: ids.clone(),
        ..NotificationFilter::default()
    };
    let named = Named {
        event_ids: ids,
        ..Named::default()
    };
    for (service, connection) in databases {
        for received in admin::received(connection, &named.event_ids).await? {
            let event = events.entry(received.event_id).or_default();
            event.routing_key.clone_from(&received.routing_key);
            event.received.push((service, received));
        }
        for parked in admin::parked_states(connection, &named, all).await? {
            events
                .entry(parked.event_id)
                .or_default()
                .park(service, parked);
        }
        for notification in views::notifications(connection, &caused).await? {
            let event = events.entry(notification.source_event).or_default();
            event.notifications.push((service, notification));
        }
    }
    Ok(())
}

impl Event {
    fn park(&mut self, service: &'static Service, parked: ParkedState) {
        let is_new = self.parked.iter().all(|(by, _)| by.short != service.short);
        if is_new {
            self.routing_key.clone_from(&parked.routing_key);
            self.correlation_id = self.correlation_id.or(parked.correlation_id);
            self.parked.push((service, parked));
        }
    }

    /// The service that published it, where that is known.
    pub(super) fn publisher(&self) -> Option<String> {
        let source = || {
            self.parked
                .iter()
                .find_map(|(_, parked)| parked.source.clone())
        };
        let own = self
            .outbox
            .as_ref()
            .map(|(service, _)| service.name.to_owned());
        own.or_else(source).filter(|name| !name.is_empty())
    }

    /// The services whose queues receive it.
    pub(super) fn is_for(&self, service: &Service) -> bool {
        let mut patterns = service.queue.patterns.iter();
        patterns.any(|pattern| events::key::matches(pattern, &self.routing_key))
    }
}
