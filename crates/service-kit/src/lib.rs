//! What every process of MedTrack has in common. It knows no event and no broker.
//!
//! - [`service`]: the roles of a service's binary, and the start of `serve` and `migrate`
//! - [`process`]: the start and the stop of a process
//! - [`config`]: the sections that a role's configuration is made of
//! - [`telemetry`], [`metrics`]: log lines and measurements
//! - [`database`]: the pool, the migrations, and the classes of its errors
//! - [`backoff`]: the pause between two tries
//! - [`health`]: the internal listener with `/health`, `/health/ready` and `/metrics`
//! - [`revocations`]: the sessions that ended before their access tokens did
//! - [`http`]: problems, request bodies, tokens, and the server with its limits

pub mod backoff;
pub mod config;
pub mod database;
pub mod health;
pub mod http;
pub mod metrics;
pub mod process;
pub mod revocations;
pub mod service;
pub mod telemetry;
pub mod terminal;

pub use process::{Process, run};
pub use service::{Roles, Service, SharedRole, Start};
