//! The wire form of every event: `{"payload": {…}, "_meta": {…}}`.
//!
//! Writers are strict: [`encode`] refuses a payload that is too large. Readers are tolerant: unknown fields
//! are ignored, and a foreign publisher that sends only the three `_meta` fields of the original system
//! (`timestamp`, `routing_key`, `source`) is understood. Reading never fails in another way: every message is
//! either an [`Envelope`] or a [`Refusal`] with a reason.

use crate::{Event, EventId, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The facts about an event beside its payload.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Meta {
    /// The identity of this event; consumers recognise duplicates by it.
    pub event_id: EventId,
    /// The time of the change, in UTC.
    #[serde(serialize_with = "utc_with_z")]
    pub timestamp: DateTime<Utc>,
    /// Equal to the AMQP routing key.
    pub routing_key: String,
    /// The service that published it, such as `auth-service`.
    pub source: String,
    /// The same for all events that one request caused.
    pub correlation_id: Uuid,
    /// The event that caused this one; `None` at the root of a chain.
    pub causation_id: Option<EventId>,
    /// The id of what the event is about; `None` from a foreign publisher.
    pub aggregate_id: Option<Uuid>,
    /// The version (1, 2, 3 …) of the aggregate after the change; `None` from a foreign publisher.
    pub aggregate_version: Option<i64>,
    /// The version of the payload's shape.
    pub schema_version: u16,
    /// The W3C trace context, when tracing is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// Writes the wire form of an event.
///
/// # Errors
/// [`TooLarge`] when the payload's JSON has more than [`MAX_PAYLOAD_BYTES`] bytes.
pub fn encode<E: Event>(meta: &Meta, payload: &E) -> Result<String, TooLarge> {
    #[derive(Serialize)]
    struct Wire<'a> {
        payload: &'a RawValue,
        _meta: &'a Meta,
    }
    let json = "the types of this crate have string keys and no failing serializers";
    let payload = serde_json::value::to_raw_value(payload).expect(json);
    let bytes = payload.get().len();
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(TooLarge { key: E::KEY, bytes });
    }
    Ok(serde_json::to_string(&Wire {
        payload: &payload,
        _meta: meta,
    })
    .expect(json))
}

/// The payload is larger than the contract allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "the payload of {key} has {bytes} bytes, more than the {MAX_PAYLOAD_BYTES} allowed; put less into the event"
)]
pub struct TooLarge {
    /// The routing key of the event.
    pub key: &'static str,
    /// The size of its payload, in bytes of JSON.
    pub bytes: usize,
}

/// A message as the broker delivered it.
#[derive(Clone, Copy, Debug)]
pub struct RawMessage<'a> {
    /// The exchange it was published to.
    pub exchange: &'a str,
    /// Its AMQP routing key.
    pub routing_key: &'a str,
    /// Its AMQP `message_id` property.
    pub message_id: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

impl RawMessage<'_> {
    /// Returns the id of a message whose body has none: the AMQP `message_id`, else a digest of everything that was
    /// sent, so that an identical copy has the same id.
    pub fn fallback_id(&self) -> EventId {
        match self.message_id {
            Some(id) => id
                .parse()
                .unwrap_or_else(|_| Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes()).into()),
            None => {
                let parts = [
                    self.exchange.as_bytes(),
                    self.routing_key.as_bytes(),
                    self.body,
                ];
                Uuid::new_v5(&Uuid::NAMESPACE_OID, &parts.join(&0)).into()
            }
        }
    }
}

/// An event whose payload is not read yet: only a handler knows its type.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The facts about the event.
    pub meta: Meta,
    pub(crate) payload: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// A [`Refusal`] that says why this message cannot be an event of ours.
    pub fn decode(raw: &RawMessage<'a>) -> Result<Self, Refusal> {
        let wire: Wire<'a> = read(raw.body)?;
        if !wire.payload.get().starts_with('{') {
            return Err(Refusal::new(
                "bad_payload",
                "the payload is not a JSON object",
            ));
        }
        let meta = wire.meta.complete(raw)?;
        Ok(Self {
            meta,
            payload: wire.payload,
        })
    }

    /// Reads the payload as the event that the routing key names.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn payload<E: Event>(&self) -> Result<E, Refusal> {
        if self.meta.schema_version > E::SCHEMA_VERSION {
            let reason = format!(
                "schema_version {} of {} is newer than {}, the newest that this service reads; upgrade this service, then replay",
                self.meta.schema_version,
                E::KEY,
                E::SCHEMA_VERSION
            );
            return Err(Refusal::new("schema_version", reason));
        }
        serde_json::from_str(self.payload.get()).map_err(|error| {
            Refusal::new(
                "bad_payload",
                format!("the payload is not that of {}: {error}", E::KEY),
            )
        })
    }
}

/// Reads a body as a JSON object of the envelope's form.
pub(crate) fn read<'a, W: Deserialize<'a>>(body: &'a [u8]) -> Result<W, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new("empty", "the body is empty"));
    }
    if body.len() > MAX_BODY_BYTES {
        let reason = format!(
            "the body has {} bytes, more than the {MAX_BODY_BYTES} allowed",
            body.len()
        );
        return Err(Refusal::new("too_large", reason));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Refusal::new("not_utf8", format!("not UTF-8: {error}")))?;
    let wire = serde_json::from_str(text).map_err(|error| {
        let kind = if error.is_data() {
            "not_an_envelope"
        } else {
            "not_json"
        };
        Refusal::new(
            kind,
            format!("not an envelope {{\"payload\": …, \"_meta\": …}}: {error}"),
        )
    })?;
    // serde also reads a struct from an array.
    if !text.trim_start().starts_with('{') {
        return Err(Refusal::new(
            "not_an_envelope",
            "the body is JSON, but not an object",
        ));
    }
    Ok(wire)
}

/// The reason why a message can never be handled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// One word, safe for logs and metrics.
    pub kind: &'static str,
    /// For a person. It may quote the message, so it is stored in the parked event and never logged.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(rename = "_meta")]
    meta: WireMeta,
}

/// `_meta` as any publisher sends it: our additional fields may be missing.
#[derive(Deserialize)]
struct WireMeta {
    event_id: Option<EventId>,
    #[serde(default, deserialize_with = "lenient_time")]
    timestamp: Option<DateTime<Utc>>,
    routing_key: Option<String>,
    source: Option<String>,
    correlation_id: Option<Uuid>,
    causation_id: Option<EventId>,
    aggregate_id: Option<Uuid>,
    aggregate_version: Option<i64>,
    schema_version: Option<u16>,
    traceparent: Option<String>,
}

impl WireMeta {
    fn complete(self, raw: &RawMessage<'_>) -> Result<Meta, Refusal> {
        if self
            .routing_key
            .as_deref()
            .is_some_and(|key| key != raw.routing_key)
        {
            let reason =
                "_meta.routing_key is not the routing key that the message was published with";
            return Err(Refusal::new("wrong_key", reason));
        }
        if self.aggregate_version.is_some_and(|version| version < 1) {
            return Err(Refusal::new(
                "bad_version",
                "_meta.aggregate_version is below 1",
            ));
        }
        let event_id = self.event_id.unwrap_or_else(|| raw.fallback_id());
        Ok(Meta {
            event_id,
            timestamp: self.timestamp.unwrap_or(DateTime::UNIX_EPOCH),
            routing_key: raw.routing_key.to_owned(),
            source: self.source.unwrap_or_default(),
            correlation_id: self.correlation_id.unwrap_or(event_id.as_uuid()),
            causation_id: self.causation_id,
            aggregate_id: self.aggregate_id,
            aggregate_version: self.aggregate_version,
            schema_version: self.schema_version.unwrap_or(1),
            traceparent: self.traceparent,
        })
    }
}

fn utc_with_z<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Reads RFC 3339. A time without a zone, as the old services write it, is UTC.
pub(crate) fn lenient_time<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
        .map(Some)
        .map_err(|_| serde::de::Error::custom("timestamp is not ISO 8601"))
}
