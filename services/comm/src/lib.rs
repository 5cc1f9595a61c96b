//! comm-service: the notifications of users.

mod actions;
pub mod commands;
pub mod config;
mod consumer;
mod domain;
pub mod http;
mod store;

use events::topology;
use messaging::Consume;
use service_kit::Service;
use sqlx::migrate::Migrator;

static TABLES: Migrator = sqlx::migrate!();
static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &TABLES];

/// The facts that its start needs.
pub static SERVICE: Service = Service {
    name: topology::COMM.name,
    about: "Notifications of users",
    api: "/comm/api",
    migrators: &MIGRATORS,
};

/// Returns the queue that it consumes, with the handlers of its events.
pub fn consume() -> Consume {
    Consume {
        service: &topology::COMM,
        handlers: consumer::handlers(),
        announce: None,
        migrators: &MIGRATORS,
    }
}
