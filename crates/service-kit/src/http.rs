//! What every API of MedTrack has in common.

pub mod api;
pub mod auth;
pub mod body;
pub mod docs;
pub mod idempotency;
pub mod list;
pub mod parameters;
pub mod problem;
pub mod request;
pub mod server;

pub use api::Api;
pub use auth::{Claims, CurrentUser, Verifier};
pub use body::Body;
pub use idempotency::IdempotencyKey;
pub use parameters::Parameters;
pub use problem::{Common, ErrorCode, Kind, Problem};
pub use request::{ClientAddress, RequestId, Traceparent};
pub use server::detached;
