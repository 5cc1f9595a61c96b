//! The contract between MedTrack's services: the events, their names, and the queues that receive them.
//!
//! The crate contains data and pure functions, and does no I/O. A service knows nothing else about another service.
//!
//! - [`envelope`]: the wire form `{"payload": …, "_meta": …}`, written by producers and read by consumers
//! - [`meta`]: the facts beside the payload, with the rules of ids and times
//! - [`key`]: routing keys and the topic patterns that select them
//! - [`topology`]: the exchange, and every queue of the system with its patterns
//! - [`auth`], [`profile`], [`establishments`], [`internships`]: the payloads, one struct per event, by the service that publishes them
//! - [`catalogue`]: the list of all events, for documents and contract tests
//! - [`documents`]: `docs/EVENTS.md`, `docs/asyncapi.json` and the schemas, made from the catalogue
//! - [`compatibility`]: refuses changes of an event that old readers or old publishers cannot survive
//! - [`legacy`]: messages of the services that this system replaces
//! - [`WaitsFor`]: the keys by which parked events wait for another event
//! - [`ids`], [`role`]: types that all services share

pub mod auth;
pub mod catalogue;
pub mod compatibility;
pub mod documents;
pub mod envelope;
pub mod establishments;
pub mod ids;
pub mod internships;
pub mod key;
pub mod legacy;
pub mod meta;
pub mod profile;
mod raw;
pub mod role;
pub mod topology;
mod waits;
mod wrong_field;

pub use envelope::{Envelope, Refusal};
pub use ids::{
    EncadrantId, EstablishmentId, EvaluationId, EventId, OfferId, ServiceId, StageId, StudentId,
    UserId,
};
pub use meta::Meta;
pub use raw::RawMessage;
pub use role::Role;
pub use waits::WaitsFor;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// The largest payload that a producer may publish, in bytes of JSON. A larger one is refused before the commit.
pub const MAX_PAYLOAD_BYTES: usize = 10_240;

/// The largest message body that a consumer reads, in bytes; it refuses a larger one without reading it.
pub const MAX_BODY_BYTES: usize = 65_536;

/// One kind of event: its payload, and the routing key that names it.
pub trait Event: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// The routing key, `[service.]resource.action`.
    const KEY: &'static str;

    /// The version of the payload's shape; it rises only when an old reader cannot read the new shape.
    const SCHEMA_VERSION: u16 = 1;

    /// The id of the aggregate, which the event is about; versions are counted per aggregate.
    fn aggregate_id(&self) -> Uuid;

    /// A realistic example, for documents, contract snapshots and tests.
    fn sample() -> Self;
}

/// Reads a missing or `null` text as empty: foreign publishers omit names or send `null`.
pub(crate) fn text_or_empty<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    <Option<String> as serde::Deserialize>::deserialize(deserializer).map(Option::unwrap_or_default)
}
