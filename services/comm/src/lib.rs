//! comm-service: what users are told.

pub mod actions;
pub mod commands;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod http;
pub mod store;

use config::ConsumeEvents;
use events::topology;
use messaging::{Broker, Consumer};
use service_kit::{
    Process, Service,
    config::{MigrateConfig, ServeConfig, VerifierConfig},
    database,
    health::{self, Health},
};
use sqlx::migrate::Migrator;
use std::future::ready;

const NAME: &str = "comm-service";

/// The tables of this service.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All tables of this service's database.
pub static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &MIGRATOR];

/// This service.
pub static SERVICE: Service = Service {
    name: NAME,
    about: "What users are told",
    api: "/comm/api",
    migrators: &MIGRATORS,
};

/// Answers users over HTTP.
///
/// # Errors
/// When the configuration or the schema does not allow it.
pub async fn serve(config: ServeConfig<VerifierConfig>, process: Process) -> anyhow::Result<()> {
    SERVICE.serve(config, process, http::start).await
}

/// Handles this service's events, until told to stop.
///
/// # Errors
/// When the configuration or the schema does not allow it.
pub async fn consume_events(config: ConsumeEvents, process: Process) -> anyhow::Result<()> {
    config
        .environment
        .check("DATABASE_URL", &config.database.address()?)?;
    config
        .environment
        .check("AMQP_URL", &config.broker.address()?)?;
    let stopping = process.stopping();
    let pool = database::connect(&config.database, &stopping).await?;
    database::ensure_current(&pool, &MIGRATORS, NAME).await?;
    let broker = Broker::new(&config.broker, NAME)?;
    let (outbox, relay) = messaging::outbox(pool.clone(), broker.clone());
    let consumer = Consumer::new(broker, outbox, &topology::COMM.queue, consumer::handlers());

    let heard = consumer.status();
    let health = Health::new()
        .check("database", move || database::answers(pool.clone()))
        .check("consumer", move || ready(heard.check()));
    process.spawn(
        "internal listener",
        health::serve(config.internal, health, stopping.clone()),
    );
    let (relay, consumer) = (relay.run(stopping.clone()), consumer.run(stopping.clone()));
    process.spawn("relay", async {
        relay.await;
        Ok(())
    });
    consumer.await;
    Ok(())
}

/// Brings the database to this version's schema.
///
/// # Errors
/// When a migration fails.
pub async fn migrate(config: MigrateConfig, process: Process) -> anyhow::Result<()> {
    SERVICE.migrate(&config, &process).await
}
