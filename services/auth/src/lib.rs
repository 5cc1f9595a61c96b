//! auth-service: accounts, log-ins, tokens.

pub mod actions;
pub mod commands;
pub mod config;
pub mod consumer;
pub mod domain;
pub mod http;
pub mod passwords;
pub mod store;
pub mod tokens;

use anyhow::Context as _;
use config::{ConsumeEvents, Migrate, Serve};
use events::topology;
use messaging::{Broker, Consumer};
use passwords::Hasher;
use service_kit::{
    Process, database,
    health::{self, Health},
    http::server,
};
use sqlx::migrate::Migrator;
use std::future::ready;
use tokens::Signer;
use tokio::net::TcpListener;

const NAME: &str = "auth-service";

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
    config
        .environment
        .check("AMQP_URL", &config.broker.address()?)?;
    let stopping = process.stopping();
    let pool = database::connect(&config.database, &stopping).await?;
    database::ensure_current(&pool, &MIGRATORS, NAME).await?;
    let signer = Signer::load(&config.token, &pool).await?;
    let broker = Broker::new(&config.broker, NAME)?;
    let (outbox, relay) = messaging::outbox(pool.clone(), broker);
    let app = http::App {
        pool: pool.clone(),
        outbox,
        hasher: Hasher::new(),
        signer: signer.clone(),
        registration_roles: config.registration.registration_roles.into(),
    };
    let router = server::layers(http::router(app), &config.http)?;
    let address = config.http.http_addr;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("HTTP_ADDR: cannot listen on {address}; choose another port"))?;

    // The broker is no part of readiness: registration does not need it.
    let keys = signer.keep_up(pool.clone(), stopping.clone());
    let health = Health::new().check("database", move || database::answers(pool.clone()));
    process.spawn(
        "internal listener",
        health::serve(config.internal, health, stopping.clone()),
    );
    let relay = relay.run(stopping.clone());
    process.spawn("relay", async {
        relay.await;
        Ok(())
    });
    process.spawn("signing keys", async {
        keys.await;
        Ok(())
    });
    tracing::info!("Listening on http://{address}/auth/api/v1");
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
    let consumer = Consumer::new(broker, outbox, &topology::AUTH.queue, consumer::handlers());

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

/// Brings the database to this version's schema, and makes the first signing key.
///
/// # Errors
/// When a migration fails.
pub async fn migrate(config: Migrate, process: Process) -> anyhow::Result<()> {
    config
        .environment
        .check("DATABASE_URL", &config.database.address()?)?;
    database::migrate(&config.database, &MIGRATORS, &process.stopping()).await?;
    let pool = database::connect(&config.database, &process.stopping()).await?;
    let mut tx = pool.begin().await?;
    actions::keys::ensure(&mut tx).await?;
    tx.commit().await?;
    tracing::info!("The database is at this version's schema");
    Ok(())
}
