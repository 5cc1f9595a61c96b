//! What every API of MedTrack has in common.

pub mod auth;
pub mod docs;
pub mod fields;
pub mod problem;
pub mod server;

pub use auth::{Claims, CurrentUser, Verifier};
pub use fields::Fields;
pub use problem::Problem;
pub use server::{ClientAddress, RequestId, detached};
