//! Reads messages of the Django services that this system replaces, while both run. It writes none.
//!
//! Four shapes are read: that of the original document (`payload`, `_meta`), fields side by side, `payload` with
//! `service` and `timestamp` beside it, and `data` with `event_id` and `source` beside it. The routing key names
//! a message, not the body.

use crate::{
    Envelope, EventId, Meta, RawMessage, Refusal,
    catalogue::EVENTS,
    envelope::read,
    key,
    meta::read_time,
    topology::{EXCHANGE, Queue},
};
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

/// The usual name of the exchange of the Django services.
pub const OLD_EXCHANGE: &str = "medtrack.events";

/// The keys of some of our events in the Django services.
const ALIASES: [(&str, &str); 3] = [
    ("user.created", "auth.user.created"),
    ("user.updated", "auth.user.updated"),
    ("user.deleted", "auth.user.deleted"),
];

/// Whether a message came from an exchange that is not ours. A message that a person put into a queue has none.
pub fn is_foreign(exchange: &str) -> bool {
    exchange != EXCHANGE && !exchange.is_empty()
}

/// Returns the old keys of the events that a queue receives. Exactly these are bound, so that nothing else arrives.
pub fn keys(queue: &Queue) -> impl Iterator<Item = &'static str> {
    let old = EVENTS
        .iter()
        .map(|entry| (entry.key, entry.key))
        .chain(ALIASES);
    old.filter(|(_, ours)| {
        queue
            .patterns
            .iter()
            .any(|pattern| key::matches(pattern, ours))
    })
    .map(|(old, _)| old)
}

/// Reads a message of an old publisher.
///
/// # Errors
/// A [`Refusal`] that says why this message cannot be an event of ours.
pub fn decode<'a>(raw: &RawMessage<'a>) -> Result<Envelope<'a>, Refusal> {
    let wire: Wire<'a> = read(raw.body)?;
    let payload = match (wire.payload, wire.data) {
        (Some(payload), _) | (None, Some(payload)) => payload,
        // The fields stand side by side. Those that are not of the payload are unknown to it, and ignored.
        (None, None) => read(raw.body)?,
    };
    if !payload.get().starts_with('{') {
        return Err(Refusal::new(
            "bad_payload",
            "the payload is not a JSON object",
        ));
    }
    let alias = ALIASES.iter().find(|(old, _)| *old == raw.routing_key);
    let inner = wire.meta.unwrap_or_default();
    let given_id = id(inner.event_id.as_ref()).or(id(wire.event_id.as_ref()));
    let event_id = given_id.map_or_else(
        || raw.fallback_id(),
        |id| EventId::from(id).under(raw.routing_key),
    );
    let time = read_time(inner.timestamp.or(wire.timestamp))?;
    let meta = Meta {
        event_id,
        timestamp: time.unwrap_or(DateTime::UNIX_EPOCH),
        routing_key: alias.map_or(raw.routing_key, |(_, ours)| ours).to_owned(),
        source: [inner.source, wire.service, wire.source]
            .into_iter()
            .flatten()
            .find_map(|source| source.as_str().map(str::to_owned))
            .unwrap_or_default(),
        correlation_id: id(wire.correlation_id.as_ref())
            .or(given_id)
            .unwrap_or(event_id.as_uuid()),
        causation_id: None,
        aggregate_id: None,
        aggregate_version: None,
        schema_version: 1,
        traceparent: None,
    };
    Ok(Envelope { meta, payload })
}

/// Reads an id; a text that is no UUID counts as missing.
fn id(value: Option<&Value>) -> Option<Uuid> {
    value
        .and_then(Value::as_str)
        .and_then(|text| text.parse().ok())
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<OldMeta<'a>>,
    event_id: Option<Value>,
    correlation_id: Option<Value>,
    service: Option<Value>,
    source: Option<Value>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct OldMeta<'a> {
    event_id: Option<Value>,
    source: Option<Value>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
}
