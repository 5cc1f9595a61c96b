//! Parked events of all services: dead ones, which need a person; waiting ones, which are tried again; and discarded
//! ones, which a person can bring back for seven days.
//!
//! - [`advice`]: what to do about an event
//! - [`change`]: discarding and bringing back
//! - [`mask`]: what of a message is shown
//! - [`replay`]: having events handled again, and waiting for what becomes of them

pub(crate) mod advice;
pub(crate) mod change;
pub(crate) mod mask;
pub(crate) mod replay;

use crate::endpoints::Endpoints;
use chrono::{DateTime, Utc};
use events::topology::{SERVICES, Service};
use messaging::{
    admin::{self, Actor, ParkedFilter},
    parked::Parked,
};
use serde::Serialize;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most events of one service that are read.
const LIMIT: usize = 10_000;

/// The states of the events that are selected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum States {
    #[default]
    Dead,
    /// Dead and waiting.
    Open,
    Discarded,
    /// In any state.
    Any,
}

/// Selects parked events of all services. An empty field selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// The short name of a service.
    pub(crate) service: Option<String>,
    pub(crate) routing_key: Option<String>,
    /// The cause in one word.
    pub(crate) cause: Option<String>,
    /// Parked since then.
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) states: States,
    /// Events by their ids.
    pub(crate) event_ids: Vec<Uuid>,
    /// At most so many, the oldest first.
    pub(crate) limit: Option<usize>,
}

impl Selection {
    /// Whether the selection excludes any event that is in the wanted state.
    pub(crate) fn is_narrow(&self) -> bool {
        let named = self.service.is_some() || self.routing_key.is_some() || self.cause.is_some();
        named || self.since.is_some() || self.limit.is_some() || !self.event_ids.is_empty()
    }
}

/// A parked event and the short name of the service that parked it. Its reason quotes nothing of the message.
#[derive(Serialize)]
pub(crate) struct ParkedEvent {
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) parked: Parked,
}

/// Returns the events that `selection` selects, the oldest first.
pub(crate) async fn find(
    endpoints: &Endpoints,
    selection: &Selection,
) -> anyhow::Result<Vec<ParkedEvent>> {
    let mut events = find_unmasked(endpoints, selection).await?;
    for event in &mut events {
        event.parked.reason = mask::reason(&event.parked.kind, &event.parked.reason);
    }
    Ok(events)
}

async fn find_unmasked(
    endpoints: &Endpoints,
    selection: &Selection,
) -> anyhow::Result<Vec<ParkedEvent>> {
    let Selection {
        service: only,
        routing_key,
        cause: kind,
        since,
        states,
        event_ids,
        limit,
    } = selection.clone();
    let filter = ParkedFilter {
        state: match states {
            States::Dead => Some("dead".into()),
            States::Discarded => Some("discarded".into()),
            States::Open | States::Any => None,
        },
        routing_key,
        kind,
        since,
        event_ids: (!event_ids.is_empty()).then_some(event_ids),
    };
    let limit = limit.unwrap_or(LIMIT);
    let mut events = Vec::new();
    for service in SERVICES {
        if only.as_deref().is_some_and(|only| only != service.short) {
            continue;
        }
        let mut connection = endpoints.database(service).await?;
        let parked = admin::parked(&mut connection, &filter, limit.try_into()?).await?;
        let service = service.short;
        let wanted = |parked: &Parked| states != States::Open || parked.state != "discarded";
        let parked = parked.into_iter().filter(wanted);
        events.extend(parked.map(|parked| ParkedEvent { service, parked }));
    }
    // The limit is one of all services together.
    if events.len() > limit {
        events.sort_by_key(|event| event.parked.first_at);
        events.truncate(limit);
    }
    Ok(events)
}

/// Parked events of one service with the same state, cause, routing key, reason and publisher.
#[derive(Serialize)]
pub(crate) struct Cause {
    pub(crate) service: &'static str,
    pub(crate) routing_key: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) source: Option<String>,
    pub(crate) events: usize,
    pub(crate) oldest: DateTime<Utc>,
    pub(crate) newest: DateTime<Utc>,
    pub(crate) example: Uuid,
}

/// Groups events that one decision is enough for.
pub(crate) fn causes(events: &[ParkedEvent]) -> Vec<Cause> {
    let mut causes: BTreeMap<_, Cause> = BTreeMap::new();
    for ParkedEvent { service, parked } in events {
        // Each waits for something else, and all are one group.
        let reason = match parked.kind.as_str() {
            "waits" => "waits for another event",
            _ => &parked.reason,
        };
        let what = (&parked.kind, &parked.routing_key, reason, &parked.source);
        let cause = causes
            .entry((*service, &parked.state, what))
            .or_insert_with(|| Cause {
                service,
                routing_key: parked.routing_key.clone(),
                kind: parked.kind.clone(),
                state: parked.state.clone(),
                reason: reason.to_owned(),
                source: parked.source.clone(),
                events: 0,
                oldest: parked.first_at,
                newest: parked.first_at,
                example: parked.event_id,
            });
        cause.events += 1;
        cause.oldest = cause.oldest.min(parked.first_at);
        cause.newest = cause.newest.max(parked.first_at);
    }
    causes.into_values().collect()
}

/// A parked event with its message: masked, or as it was published.
pub(crate) struct Details {
    pub(crate) event: ParkedEvent,
    pub(crate) message: String,
}

/// Returns what is stored of one parked event. With an actor the message and the reason are whole, and the audit records
/// that the actor saw them.
pub(crate) async fn details(
    endpoints: &Endpoints,
    event_id: Uuid,
    unmasked: Option<Actor<'_>>,
) -> anyhow::Result<Option<Details>> {
    let one = Selection {
        event_ids: vec![event_id],
        states: States::Any,
        ..Selection::default()
    };
    let Some(mut event) = find_unmasked(endpoints, &one).await?.into_iter().next() else {
        return Ok(None);
    };
    let mut connection = endpoints.database(service_of(event.service)).await?;
    let message = match unmasked {
        Some(actor) => {
            let body = admin::unmasked(&mut connection, event_id, actor).await?;
            String::from_utf8_lossy(&body.unwrap_or_default()).into_owned()
        }
        None => {
            event.parked.reason = mask::reason(&event.parked.kind, &event.parked.reason);
            let body = admin::body(&mut connection, event_id).await?;
            mask::message(&body.unwrap_or_default())
        }
    };
    Ok(Some(Details { event, message }))
}

fn service_of(short: &str) -> &'static Service {
    let mut services = SERVICES.into_iter();
    services
        .find(|service| service.short == short)
        .expect("a parked event is read from the database of a service")
}
