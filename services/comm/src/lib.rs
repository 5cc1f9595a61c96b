//! comm-service: what users are told.

pub mod actions;
pub mod commands;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod http;
pub mod store;

use anyhow::Context as _;
use config::{ConsumeEvents, Migrate, Serve};
use events::topology;
use messaging::{Broker, Consumer};
use service_kit::{
    Process, database,
    health::{self, Health},
    http::{Verifier, server},
};
use sqlx::migrate::Migrator;
use std::future::ready;
use tokio::net::TcpListener;

const NAME: &str = "comm-service";

/// The tables of this service.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// All tables of this service's database.
pub static MIGRATORS: [&Migrator; 2] = [&messaging::MIGRATOR, &MIGRATOR];

/// Answers users over HTTP.
///
/// # Errors
/// When the configuration or the schema does not allow it.
pub async fn serve(config: Serve, process: Process) -> anyhow::Result<()> {
    config
        .environment
        .check("DATABASE_URL", &config.database.address()?)?;
    let stopping = process.stopping();
    let pool = database::connect(&config.database, &stopping).await?;
    database::ensure_current(&pool, &MIGRATORS, NAME).await?;
    let verifier = Verifier::remote(&config.token, &config.jwks)?;
    let router = server::layers(http::router(pool.clone(), verifier.clone()), &config.http)?;
    let address = config.http.http_addr;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("HTTP_ADDR: cannot listen on {address}; choose another port"))?;

    let health = Health::new().check("database", move || database::answers(pool.clone()));
    process.spawn(
        "internal listener",
        health::serve(config.internal, health, stopping.clone()),
    );
    tokio::spawn(verifier.warm_up(stopping.clone()));
    tracing::info!("Listening on http://{address}/comm/api");
    server::serve(listener, router, stopping).await;
    Ok(())
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
pub async fn migrate(config: Migrate, process: Process) -> anyhow::Result<()> {
    config
        .environment
        .check("DATABASE_URL", &config.database.address()?)?;
    database::migrate(&config.database, &MIGRATORS, &process.stopping()).await?;
    tracing::info!("The database is at this version's schema");
    Ok(())
}
