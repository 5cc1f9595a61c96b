//! What every API of MedTrack has in common.

pub mod auth;
pub mod body;
pub mod docs;
pub mod problem;
pub mod server;

pub use auth::{Claims, CurrentUser, Verifier};
pub use body::Body;
pub use problem::{Common, ErrorCode, Kind, Problem};
pub use server::{ClientAddress, RequestId, detached};
