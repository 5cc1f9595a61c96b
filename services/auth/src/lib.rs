//! auth-service: users, log-ins, tokens.

mod actions;
mod commands;
mod config;
mod consumer;
mod domain;
pub mod http;
mod passwords;
mod purge;
mod roles;
mod store;
mod throttle;
mod tokens;
mod unverified;

pub use roles::run;

use events::topology;
use service_kit::Service;
use sqlx::migrate::Migrator;

static TABLES: Migrator = sqlx::migrate!();
static MIGRATORS: [&Migrator; 3] = [&messaging::MIGRATOR, &mail::MIGRATOR, &TABLES];

/// The facts that its start needs.
static SERVICE: Service = Service {
    name: topology::AUTH.name,
    about: "Users, log-ins, tokens",
    api: "/auth/api/v1",
    migrators: &MIGRATORS,
};
