//! profile-service: student and encadrant profiles, made from accounts.

pub mod actions;
pub mod consumer;
pub mod domain;
pub mod store;

/// The tables of this service.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();
