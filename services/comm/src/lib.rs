//! comm-service: the notifications of users.

mod actions;
mod commands;
mod config;
mod consumer;
mod domain;
pub mod http;
mod purge;
mod roles;
mod store;

pub use roles::run;

use events::topology;
use service_kit::Service;
use sqlx::migrate::Migrator;

static TABLES: Migrator = sqlx::migrate!();
static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &TABLES];

/// The facts that its start needs.
static SERVICE: Service = Service {
    name: topology::COMM.name,
    about: "Notifications of users",
    api: "/comm/api",
    migrators: &MIGRATORS,
};
