//! comm-service: what users are told.

pub mod actions;
pub mod consumer;
pub mod domain;
pub mod store;

/// The tables of this service.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
