//! The frame that every process of MedTrack stands in. It knows no event and no broker.
//!
//! - [`process`]: one start and one two-step stop for every role
//! - [`config`]: the sections that a role's configuration is made of
//! - [`telemetry`], [`metrics`]: what a process says
//! - [`database`]: the pool and the migrations
//! - [`health`]: the internal listener with `/health`, `/health/ready` and `/metrics`
//! - [`http`]: problems, request bodies, tokens, and the server with its limits

pub mod config;
pub mod database;
pub mod health;
pub mod http;
pub mod metrics;
pub mod process;
pub mod telemetry;

pub use process::{Process, parse, run};
