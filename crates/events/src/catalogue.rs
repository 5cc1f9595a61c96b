//! The list of all events, as data for documents, tools and contract tests.

use crate::{
    Envelope, Event, EventId, Meta, RawMessage, Refusal, auth, envelope, establishments,
    internships, profile,
};
use chrono::DateTime;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;
use uuid::Uuid;

/// One event of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// The routing key.
    pub key: &'static str,
    /// The service that publishes it; `core-service` and `eval-service` are not MedTrack's own.
    pub producer: &'static str,
    /// The version of the payload's shape.
    pub schema_version: u16,
    /// Whether it is published for other systems only: no queue of ours receives it.
    pub is_for_others: bool,
    sample: fn() -> String,
    written: fn() -> Value,
    read: fn() -> Value,
    check: fn(&Envelope<'_>) -> Result<(), Refusal>,
}

impl Entry {
    const fn of<E: Event>(producer: &'static str) -> Self {
        Self {
            key: E::KEY,
            producer,
            schema_version: E::SCHEMA_VERSION,
            is_for_others: false,
            sample: sample::<E>,
            written: || schema::<E>(SchemaSettings::draft2020_12().for_serialize()),
            read: || schema::<E>(SchemaSettings::draft2020_12().for_deserialize()),
            check: check::<E>,
        }
    }

    /// An event that other systems bind a queue of their own for.
    const fn for_others<E: Event>(producer: &'static str) -> Self {
        Self {
            is_for_others: true,
            ..Self::of::<E>(producer)
        }
    }

    /// Returns the JSON Schema of the payload as our publishers write it.
    pub fn schema(&self) -> Value {
        (self.written)()
    }

    /// Returns the JSON Schema of what our readers need of a payload: a foreign publisher may omit the rest.
    pub fn needed(&self) -> Value {
        (self.read)()
    }

    /// Returns the wire form of a realistic example, the same at every call.
    pub fn sample(&self) -> String {
        (self.sample)()
    }
}

/// All events, in the order of a user's life.
pub static EVENTS: [Entry; 26] = [
    Entry::of::<auth::UserCreated>("auth-service"),
    Entry::of::<auth::UserUpdated>("auth-service"),
    Entry::of::<auth::UserRoleChanged>("auth-service"),
    Entry::of::<auth::UserDeleted>("auth-service"),
    Entry::of::<auth::SessionRevoked>("auth-service"),
    Entry::of::<profile::StudentCreated>("profile-service"),
    Entry::of::<profile::StudentUpdated>("profile-service"),
    Entry::of::<profile::StudentDeleted>("profile-service"),
    Entry::of::<profile::EncadrantCreated>("profile-service"),
    Entry::of::<profile::EncadrantUpdated>("profile-service"),
    Entry::of::<profile::EncadrantDeleted>("profile-service"),
    Entry::for_others::<establishments::EstablishmentCreated>("profile-service"),
    Entry::for_others::<establishments::EstablishmentUpdated>("profile-service"),
    Entry::for_others::<establishments::EstablishmentDeleted>("profile-service"),
    Entry::for_others::<establishments::ServiceCreated>("profile-service"),
    Entry::for_others::<establishments::ServiceUpdated>("profile-service"),
    Entry::for_others::<establishments::ServiceDeleted>("profile-service"),
    Entry::of::<internships::StageCreated>("core-service"),
    Entry::of::<internships::StageAccepted>("core-service"),
    Entry::of::<internships::StageRejected>("core-service"),
    Entry::of::<internships::StageStarted>("core-service"),
    Entry::of::<internships::StageCompleted>("core-service"),
    Entry::of::<internships::StageCancelled>("core-service"),
    Entry::of::<internships::EvaluationCreated>("eval-service"),
    Entry::of::<internships::EvaluationUpdated>("eval-service"),
    Entry::of::<internships::GradeAssigned>("eval-service"),
];

/// The result of [`validate`].
#[derive(Debug)]
pub enum Validation {
    /// An event of the catalogue, with a valid payload.
    Accepted(Meta),
    /// A valid envelope with a routing key that is not in the catalogue.
    Unknown(Meta),
    /// A message that no version of a handler can handle.
    Refused(Refusal),
}

/// Reads a message as far as this is possible without a handler. Never panics.
pub fn validate(raw: &RawMessage<'_>) -> Validation {
    let envelope = match Envelope::decode(raw) {
        Ok(envelope) => envelope,
        Err(refusal) => return Validation::Refused(refusal),
    };
    let Some(entry) = EVENTS.iter().find(|entry| entry.key == raw.routing_key) else {
        return Validation::Unknown(envelope.meta);
    };
    match (entry.check)(&envelope) {
        Ok(()) => Validation::Accepted(envelope.meta),
        Err(refusal) => Validation::Refused(refusal),
    }
}

fn sample<E: Event>() -> String {
    let payload = E::sample();
    let event_id = EventId::from(Uuid::from_u128(0x019ab3c1_5a31_7a00_8000_000000000001));
    let meta = Meta {
        event_id,
        timestamp: DateTime::from_timestamp(1_765_654_022, 415_000_000).unwrap_or_default(),
        routing_key: E::KEY.into(),
        source: EVENTS
            .iter()
            .find(|entry| entry.key == E::KEY)
            .map_or("", |entry| entry.producer)
            .into(),
        correlation_id: Uuid::from_u128(0x019ab3c1_5a2d_7b00_8000_000000000002),
        causation_id: None,
        aggregate_id: Some(payload.aggregate_id()),
        aggregate_version: Some(1),
        schema_version: E::SCHEMA_VERSION,
        traceparent: None,
    };
    envelope::encode(&meta, &payload).expect("samples are small; a contract test encodes each")
}

pub(crate) fn schema<T: JsonSchema>(mut settings: SchemaSettings) -> Value {
    settings.inline_subschemas = true;
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

fn check<E: Event>(envelope: &Envelope<'_>) -> Result<(), Refusal> {
    envelope.payload::<E>().map(drop)
}
