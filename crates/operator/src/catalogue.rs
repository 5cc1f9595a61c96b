//! The events of the system, and the publication of one by hand.

pub(crate) mod check;

use crate::{audit, broker, endpoints::Endpoints};
use anyhow::{Context as _, bail};
use chrono::Utc;
use events::{
    EventId, RawMessage,
    catalogue::{self, EVENTS, Entry, Validation},
    key,
    meta::OPERATOR,
    topology::{self, EXCHANGE, SERVICES},
};
use messaging::admin::{self, Actor, Deed};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// An event: who publishes it, and which queues receive it.
#[derive(Serialize)]
pub(crate) struct Route {
    pub(crate) key: &'static str,
    pub(crate) publisher: &'static str,
    pub(crate) queues: Vec<&'static str>,
}

/// Returns the route of every event.
pub(crate) fn routes() -> Vec<Route> {
    let route = |entry: &Entry| Route {
        key: entry.key,
        publisher: entry.producer,
        queues: queues(entry.key),
    };
    EVENTS.iter().map(route).collect()
}

/// Returns the event with this routing key.
pub(crate) fn entry(endpoints: &Endpoints, key: &str) -> anyhow::Result<&'static Entry> {
    let entry = EVENTS.iter().find(|entry| entry.key == key);
    entry.with_context(|| {
        format!(
            "there is no event {key:?}; {}",
            endpoints.advice("events list")
        )
    })
}

/// Returns the queues that receive events with this routing key.
pub(crate) fn queues(routing_key: &str) -> Vec<&'static str> {
    let queues = topology::queues().filter(|queue| {
        let mut patterns = queue.patterns.iter();
        patterns.any(|pattern| key::matches(pattern, routing_key))
    });
    queues.map(|queue| queue.name).collect()
}

/// The queues that receive an event, joined for a sentence.
pub(crate) fn receivers(entry: &Entry, and: &str) -> String {
    match entry.is_for_others {
        true => "queues of other systems only".to_owned(),
        false => queues(entry.key).join(and),
    }
}

/// Sets `field=value` in a payload. The value is JSON, or else a text.
pub(crate) fn set(
    endpoints: &Endpoints,
    entry: &Entry,
    payload: &mut Value,
    field: &str,
) -> anyhow::Result<()> {
    let (name, value) = field
        .split_once('=')
        .with_context(|| format!("{field:?} has no value; try: --set field=value"))?;
    let schema = entry.needed();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let mut names = fields.map(|(name, _)| name.as_str());
    if !names.clone().any(|known| known == name) {
        let show = endpoints.advice(&format!("events show {}", entry.key));
        match check::near(&mut names, name) {
            Some(near) => bail!("{} has no field {name:?}; try: --set {near}=…", entry.key),
            None => bail!("{} has no field {name:?}; {show}", entry.key),
        }
    }
    if !payload.is_object() {
        bail!("the payload is not a JSON object");
    }
    payload[name] = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok(())
}

/// An event that the broker confirmed.
pub(crate) struct Published {
    pub(crate) event_id: EventId,
    /// Whether a queue received it.
    pub(crate) routed: bool,
}

/// Publishes an event with this payload, and records it at each service that receives it. Refuses one that no consumer
/// could read.
pub(crate) async fn publish(
    endpoints: &Endpoints,
    entry: &Entry,
    payload: Value,
    actor: Actor<'_>,
) -> anyhow::Result<Published> {
    let (event_id, correlation_id) = (EventId::new(), Uuid::now_v7());
    let envelope = json!({"payload": payload, "_meta": {
        "event_id": event_id, "correlation_id": correlation_id, "timestamp": Utc::now(), "routing_key": entry.key,
        "source": OPERATOR, "schema_version": entry.schema_version,
    }})
    .to_string();
    let raw = RawMessage {
        exchange: EXCHANGE,
        routing_key: entry.key,
        message_id: None,
        app_id: None,
        body: envelope.as_bytes(),
    };
    if let Validation::Refused(refusal) = catalogue::validate(&raw) {
        bail!(
            "no consumer could read this event, so it is not published: {}; {}",
            refusal.reason,
            endpoints.advice(&format!("events show {}", entry.key))
        );
    }
    let broker = broker::of(endpoints)?;
    let publish = async {
        let routed = admin::publish(&broker, entry.key, event_id, correlation_id, envelope).await;
        routed.with_context(|| {
            format!(
                "RabbitMQ did not accept the event; {}",
                endpoints.advice("doctor")
            )
        })
    };
    let queues = queues(entry.key);
    let readers = SERVICES.into_iter();
    let readers: Vec<_> = readers
        .filter(|service| queues.contains(&service.queue.name))
        .collect();
    let deed = Deed {
        verb: "publish",
        event_id: Some(event_id.as_uuid()),
        routing_key: entry.key,
        detail: entry.key,
    };
    let routed = audit::recorded(endpoints, &readers, actor, &deed, publish).await?;
    Ok(Published { event_id, routed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_as_json_or_as_text_and_an_unknown_one_is_refused() {
        let endpoints = Endpoints::none();
        let entry = entry(&endpoints, "evaluation.created").unwrap();
        let mut payload = json!({});
        for field in ["score=2", "student_id=text"] {
            set(&endpoints, entry, &mut payload, field).unwrap();
        }
        assert_eq!(payload, json!({"score": 2, "student_id": "text"}));
        for (bad, reason) in [
            ("score", "has no value"),
            ("studentId=1", "try: --set student_id=…"),
            ("colour=1", "events show evaluation.created"),
        ] {
            let error = set(&endpoints, entry, &mut payload, bad).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}
