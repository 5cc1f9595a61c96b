//! Parked events of all services: dead ones, which need a person, and waiting ones, which are tried again.

use crate::endpoints::Endpoints;
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use events::topology::{SERVICES, Service};
use messaging::{
    admin::{self, ParkedFilter},
    parked::Parked,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The most events of one service that are read.
const LIMIT: i64 = 10_000;

/// Selects parked events of all services. An empty field selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// The short name of a service.
    pub(crate) service: Option<String>,
    pub(crate) routing_key: Option<String>,
    /// The cause in one word.
    pub(crate) kind: Option<String>,
    /// Waiting events too.
    pub(crate) waiting: bool,
    /// Events by their ids, in any state.
    pub(crate) event_ids: Vec<Uuid>,
}

impl Selection {
    /// Whether the selection excludes any dead event.
    pub(crate) fn is_narrow(&self) -> bool {
        let filtered = self.service.is_some() || self.routing_key.is_some() || self.kind.is_some();
        filtered || self.waiting || !self.event_ids.is_empty()
    }
}

/// A parked event and the short name of the service that parked it.
#[derive(Serialize)]
pub(crate) struct ParkedEvent {
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) parked: Parked,
}

/// Returns the events that `selection` selects.
pub(crate) async fn find(
    endpoints: &Endpoints,
    selection: &Selection,
) -> anyhow::Result<Vec<ParkedEvent>> {
    let Selection {
        service: only,
        routing_key,
        kind,
        waiting,
        event_ids,
    } = selection.clone();
    let filter = ParkedFilter {
        state: (!waiting && event_ids.is_empty()).then(|| "dead".into()),
        routing_key,
        kind,
        event_ids: (!event_ids.is_empty()).then_some(event_ids),
    };
    let mut events = Vec::new();
    for service in SERVICES {
        if only.as_deref().is_some_and(|only| only != service.short) {
            continue;
        }
        let mut connection = endpoints.database(service).await?;
        let parked = admin::parked(&mut connection, &filter, LIMIT).await?;
        let service = service.short;
        events.extend(
            parked
                .into_iter()
                .map(|parked| ParkedEvent { service, parked }),
        );
    }
    Ok(events)
}

/// Parked events with the same cause.
#[derive(Serialize)]
pub(crate) struct Cause {
    pub(crate) service: &'static str,
    pub(crate) routing_key: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) events: usize,
    pub(crate) oldest: DateTime<Utc>,
    pub(crate) newest: DateTime<Utc>,
    pub(crate) example: Uuid,
}

/// Groups events by service, state, cause and routing key.
pub(crate) fn causes(events: &[ParkedEvent]) -> Vec<Cause> {
    let mut causes: BTreeMap<_, Cause> = BTreeMap::new();
    for ParkedEvent { service, parked } in events {
        let key = (*service, &parked.state, &parked.kind, &parked.routing_key);
        let cause = causes.entry(key).or_insert_with(|| Cause {
            service,
            routing_key: parked.routing_key.clone(),
            kind: parked.kind.clone(),
            state: parked.state.clone(),
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

/// A parked event with its body.
pub(crate) struct Details {
    pub(crate) event: ParkedEvent,
    pub(crate) body: Vec<u8>,
}

/// Returns all that is stored of one parked event.
pub(crate) async fn details(
    endpoints: &Endpoints,
    event_id: Uuid,
) -> anyhow::Result<Option<Details>> {
    let one = Selection {
        event_ids: vec![event_id],
        ..Selection::default()
    };
    let Some(event) = find(endpoints, &one).await?.into_iter().next() else {
        return Ok(None);
    };
    let mut connection = endpoints.database(service_of(&event)).await?;
    let body = admin::body(&mut connection, event_id).await?;
    Ok(Some(Details {
        event,
        body: body.unwrap_or_default(),
    }))
}

fn service_of(event: &ParkedEvent) -> &'static Service {
    let mut services = SERVICES.into_iter();
    services
        .find(|service| service.short == event.service)
        .expect("a parked event is read from the database of a service")
}

/// Returns the shape of a message, without its values.
pub(crate) fn masked(body: &[u8]) -> String {
    fn mask(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(mask),
            Value::Array(items) => items.iter_mut().for_each(mask),
            Value::Null => {}
            other => *other = json!("…"),
        }
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(mut value) => {
            mask(&mut value);
            format!("{value:#}")
        }
        Err(_) => format!("{} bytes that are not JSON", body.len()),
    }
}

/// What is done with parked events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// They are tried again.
    Replay,
    /// They are deleted.
    Discard,
}

/// Replays or discards events. Returns how many were changed.
pub(crate) async fn act(
    endpoints: &Endpoints,
    events: &[ParkedEvent],
    action: Action,
) -> anyhow::Result<usize> {
    let mut changed = 0;
    for service in SERVICES {
        let of_service = events.iter().filter(|event| event.service == service.short);
        let ids: Vec<Uuid> = of_service.map(|event| event.parked.event_id).collect();
        if ids.is_empty() {
            continue;
        }
        let mut connection = endpoints.database(service).await?;
        let (verb, acted) = match action {
            Action::Replay => ("replay", admin::replay(&mut connection, &ids).await),
            Action::Discard => ("discard", admin::discard(&mut connection, &ids).await),
        };
        changed += acted
            .with_context(|| format!("cannot {verb} the events of {}", service.name))?
            .len();
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_message_shows_its_shape_and_no_value() {
        let shape =
            masked(br#"{"payload": {"email": "a@b.org", "age": 3, "phone": null}, "_meta": {}}"#);
        assert!(
            shape.contains("email") && !shape.contains("a@b.org") && !shape.contains('3'),
            "{shape}"
        );
        assert_eq!(masked(b"{nope"), "5 bytes that are not JSON");
    }
}
