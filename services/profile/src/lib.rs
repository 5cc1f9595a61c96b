//! profile-service: student and encadrant profiles, made from accounts.

pub mod actions;
pub mod commands;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod http;
pub mod store;

use events::topology;
use messaging::{Consume, ConsumeConfig};
use service_kit::{
    Process, Service,
    config::{MigrateConfig, ServeConfig, VerifierConfig},
};
use sqlx::migrate::Migrator;

const NAME: &str = "profile-service";

/// The tables of this service.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All tables of this service's database.
pub static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &MIGRATOR];

/// This service.
pub static SERVICE: Service = Service {
    name: NAME,
    about: "Student and encadrant profiles",
    api: "/profile/api",
    migrators: &MIGRATORS,
};

/// Answers users over HTTP.
///
/// # Errors
/// When the configuration or the schema does not allow it.
pub async fn serve(config: ServeConfig<VerifierConfig>, process: Process) -> anyhow::Result<()> {
    SERVICE.serve(config, process, http::start).await
}

/// Handles this service's events, until the process stops.
///
/// # Errors
/// Fails when the configuration or the schema of the database does not allow the start.
pub async fn consume_events(config: ConsumeConfig, process: Process) -> anyhow::Result<()> {
    let consume = Consume {
        service: &topology::PROFILE,
        handlers: consumer::handlers(),
        migrators: &MIGRATORS,
    };
    messaging::consume(consume, config, process).await
}

/// Brings the database to this version's schema.
///
/// # Errors
/// When a migration fails.
pub async fn migrate(config: MigrateConfig, process: Process) -> anyhow::Result<()> {
    SERVICE.migrate(&config, &process).await
}
