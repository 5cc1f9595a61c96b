//! The start of the processes that publish and consume. Every task runs under [`Process`], which stops the process when
//! one of them ends early.

use crate::{
    Announce, Broker, ConsumeConfig, Consumer, Handlers, Housekeeping, Outbox, announcements,
    outbox,
};
use events::topology::Service;
use futures_util::future::BoxFuture;
use service_kit::{
    Process,
    database::{self, Probe},
    health::{self, Health},
};
use sqlx::{PgPool, migrate::Migrator};
use std::{
    future::{Future, ready},
    sync::Arc,
};

/// What a service consumes, and with which handlers.
pub struct Consume {
    /// The service.
    pub service: &'static Service,
    /// Its handlers.
    pub handlers: Handlers,
    /// Writes the events of its present state again, when it owns a state that others read.
    pub announce: Option<Announce>,
    /// All migrations of its database.
    pub migrators: &'static [&'static Migrator],
}

/// Runs a process that handles the events of its service's queue, until the process stops.
///
/// # Errors
/// Fails when the configuration or the schema of the database does not allow the start.
pub fn consume(
    consume: Consume,
    config: ConsumeConfig,
    process: Process,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(start(consume, config, process))
}

/// Boxed above, so that the compiler translates the consumer once, and not in each service.
async fn start(consume: Consume, config: ConsumeConfig, process: Process) -> anyhow::Result<()> {
    let Consume {
        service,
        handlers,
        announce,
        migrators,
    } = consume;
    let environment = &config.environment;
    environment.check("DATABASE_URL", &config.database.address()?)?;
    environment.check("AMQP_URL", &config.broker.address()?)?;
    let stopping = process.stopping();
    let pool = database::connect(&config.database, &stopping).await?;
    database::ensure_current(&pool, migrators, service.name).await?;
    let broker = Broker::new(&config.broker, service.name)?;
    let health = Health::new();
    let probe = Probe::new(&pool);
    health.check("database", move || Arc::clone(&probe).ask());
    let outbox = start_relay(&process, &health, pool, broker.clone());
    if let Some(announce) = announce {
        let announcements = announcements::run(outbox.clone(), announce, stopping.clone());
        spawn(&process, "announcements", announcements);
    }
    let consumer = Consumer::new(broker, outbox, &service.queue, handlers);

    let status = consumer.status();
    health.check("consumer", move || ready(status.check()));
    process.spawn(
        "internal listener",
        health::serve(config.internal, health, stopping.clone()),
    );
    spawn(&process, "consumer", consumer.run(stopping.clone()));
    stopping.cancelled().await;
    Ok(())
}

/// Starts the relay and the housekeeping of a process that writes events, and returns the outbox that it writes to. The
/// relay is shown among the checks, but does not decide: an event waits for the broker, a request does not.
pub fn start_relay(process: &Process, health: &Health, pool: PgPool, broker: Broker) -> Outbox {
    let housekeeping = Housekeeping::new(&pool);
    let (outbox, relay) = outbox(pool, broker);
    let status = relay.status();
    health.show("relay", move || ready(status.check()));
    // The requests and the batch that end last still commit events.
    let relay = relay.run(process.finishing());
    process.spawn_last("relay", async {
        relay.await;
        Ok(())
    });
    spawn(
        process,
        "housekeeping",
        housekeeping.run(process.stopping()),
    );
    outbox
}

fn spawn(process: &Process, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    process.spawn(name, async {
        task.await;
        Ok(())
    });
}
