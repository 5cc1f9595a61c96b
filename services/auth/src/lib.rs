//! auth-service: users, log-ins, tokens.

mod actions;
pub mod commands;
pub mod config;
mod consumer;
mod domain;
pub mod http;
mod passwords;
mod purge;
mod store;
mod throttle;
mod tokens;

use events::topology;
use messaging::Consume;
use service_kit::Service;
use sqlx::migrate::Migrator;

static TABLES: Migrator = sqlx::migrate!();
static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &TABLES];

/// The facts that its start needs.
pub static SERVICE: Service = Service {
    name: topology::AUTH.name,
    about: "Users, log-ins, tokens",
    api: "/auth/api/v1",
    migrators: &MIGRATORS,
};

/// Returns the queue that it consumes, with the handlers of its events.
pub fn consume() -> Consume {
    Consume {
        service: &topology::AUTH,
        handlers: consumer::handlers(),
        announce: Some(|tx, users| Box::pin(actions::announce::announce(tx, users))),
        migrators: &MIGRATORS,
    }
}
