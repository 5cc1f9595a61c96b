//! profile-service: the profiles of students and encadrants.

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
    name: topology::PROFILE.name,
    about: "Student and encadrant profiles",
    api: "/profile/api",
    migrators: &MIGRATORS,
};

/// Returns the queue that it consumes, with the handlers of its events.
pub fn consume() -> Consume {
    Consume {
        service: &topology::PROFILE,
        handlers: consumer::handlers(),
        announce: Some(|tx, users| Box::pin(actions::announce_profiles(tx, users))),
        migrators: &MIGRATORS,
    }
}
