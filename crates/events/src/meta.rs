//! The facts about an event beside its payload, and the rules of its id and its time.

use crate::{EventId, RawMessage, Refusal, topology::SERVICES};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

/// The `_meta.source` of an event that an operator publishes by hand.
pub const OPERATOR: &str = "medtrack";

/// The largest version that is read: the largest integer that every reader of JSON reads exactly. It leaves room for
/// the versions of what follows from an event.
pub const MAX_VERSION: i64 = 1 << 53;

/// How far the clock of a publisher may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

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

impl Meta {
    /// Returns the time by which the changes of a publisher that counts no versions are ordered.
    ///
    /// # Errors
    /// A [`Refusal`] `no_time` when the publisher does not say the time, and `time_ahead` when the time is more than five
    /// minutes after `now`: such a change would hide all later ones.
    pub fn time_of_change(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        if self.timestamp == DateTime::UNIX_EPOCH {
            let reason =
                "_meta.timestamp is missing, and nothing else orders the changes of this publisher";
            return Err(Refusal::new("no_time", reason));
        }
        if self.timestamp > now + CLOCK_SKEW {
            let reason = "_meta.timestamp is more than 5 minutes ahead; check the clock of the publisher, then replay";
            return Err(Refusal::new("time_ahead", reason));
        }
        Ok(self.timestamp)
    }

    /// Returns when it happened, for people: `now` when the publisher does not say, or names a future time.
    pub fn occurred_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        if self.timestamp == DateTime::UNIX_EPOCH {
            return now;
        }
        self.timestamp.min(now)
    }
}

/// `_meta` as any publisher sends it: our additional fields may be missing.
#[derive(Deserialize)]
pub(crate) struct WireMeta<'a> {
    event_id: Option<EventId>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    routing_key: Option<String>,
    source: Option<String>,
    correlation_id: Option<Uuid>,
    causation_id: Option<EventId>,
    aggregate_id: Option<Uuid>,
    aggregate_version: Option<i64>,
    schema_version: Option<u16>,
    traceparent: Option<String>,
}

impl WireMeta<'_> {
    pub(crate) fn complete(self, raw: &RawMessage<'_>) -> Result<Meta, Refusal> {
        if self
            .routing_key
            .as_deref()
            .is_some_and(|key| key != raw.routing_key)
        {
            let reason =
                "_meta.routing_key is not the routing key that the message was published with";
            return Err(Refusal::new("wrong_key", reason));
        }
        if self
            .aggregate_version
            .is_some_and(|version| !(1..=MAX_VERSION).contains(&version))
        {
            let reason = format!("_meta.aggregate_version is not between 1 and {MAX_VERSION}");
            return Err(Refusal::new("bad_version", reason));
        }
        let event_id = match self.event_id {
            Some(id) if self.is_ours() => id,
            Some(id) => id.under(raw.routing_key),
            None => raw.fallback_id(),
        };
        let correlation_id = self.correlation_id.or(self.event_id.map(Into::into));
        Ok(Meta {
            event_id,
            timestamp: read_time(self.timestamp)?.unwrap_or(DateTime::UNIX_EPOCH),
            routing_key: raw.routing_key.to_owned(),
            correlation_id: correlation_id.unwrap_or(event_id.as_uuid()),
            source: self.source.unwrap_or_default(),
            causation_id: self.causation_id,
            aggregate_id: self.aggregate_id,
            aggregate_version: self.aggregate_version,
            schema_version: self.schema_version.unwrap_or(1),
            traceparent: self.traceparent,
        })
    }

    /// Whether one of our programs wrote it. Only they never use an id twice.
    fn is_ours(&self) -> bool {
        let source = self.source.as_deref().unwrap_or_default();
        let is_service = SERVICES.iter().any(|service| service.name == source);
        source == OPERATOR || (is_service && self.aggregate_version.is_some())
    }
}

fn utc_with_z<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Reads a time of RFC 3339. A time without a zone, as the old services write it, is UTC.
///
/// # Errors
/// A [`Refusal`] when there is something else.
pub(crate) fn read_time(json: Option<&RawValue>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(json) = json else {
        return Ok(None);
    };
    let unreadable = || Refusal::new("bad_time", "the timestamp is not a time of ISO 8601");
    let text: String = serde_json::from_str(json.get()).map_err(|_| unreadable())?;
    DateTime::parse_from_rfc3339(&text)
        .map(|time| time.to_utc())
        .or_else(|_| text.parse::<NaiveDateTime>().map(|time| time.and_utc()))
        .map(Some)
        .map_err(|_| unreadable())
}
