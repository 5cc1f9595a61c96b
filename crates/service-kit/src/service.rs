//! A service: the roles of its binary, and the start of those that all services have.

use crate::{
    Process,
    config::{InternalConfig, LogConfig, MigrateConfig, OwnConfig, ServeConfig},
    database::{self, Probe},
    health::{self, Health},
    http::{docs, server},
    process,
};
use anyhow::Context as _;
use axum::Router;
use clap::{Args, Subcommand};
use serde_json::Value;
use sqlx::{PgPool, migrate::Migrator};
use std::{process::ExitCode, sync::Arc};
use tokio::net::TcpListener;

/// The facts about a service that its start needs.
#[derive(Debug)]
pub struct Service {
    /// The name of the binary.
    pub name: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
    /// The path that all routes of the API begin with.
    pub api: &'static str,
    /// The migrations of its database, in the order in which they are applied.
    pub migrators: &'static [&'static Migrator],
}

/// The roles of a service's binary.
#[derive(Debug, Subcommand)]
pub enum Roles<Serve: OwnConfig, Consume: Args, Own: Subcommand> {
    /// A role that all services have.
    #[command(flatten)]
    Shared(SharedRole<Serve, Consume>),
    /// A command that only this service has.
    #[command(flatten)]
    Own(Own),
}

/// The roles that all services have; [`Service::run`] runs them.
#[derive(Debug, Subcommand)]
pub enum SharedRole<Serve: OwnConfig, Consume: Args> {
    /// Answer users over HTTP.
    Serve(Box<ServeConfig<Serve>>),
    /// Handle the events of the service's queue.
    #[command(alias = "consume_events")]
    ConsumeEvents(Box<Consume>),
    /// Bring the database to this version's schema, and end.
    Migrate(Box<MigrateConfig>),
    /// Print the OpenAPI document of the routes.
    Openapi,
    /// Ask the process at INTERNAL_ADDR whether it is ready; the exit code is the response.
    Healthcheck(InternalConfig),
}

/// What a service's own part of `serve` starts with.
pub struct Start<Own> {
    /// The service's own sections of the configuration.
    pub config: Own,
    /// The pool of connections to its database.
    pub pool: PgPool,
    /// The process, for tasks that run beside the listener.
    pub process: Process,
    /// The checks of the process, for those that only this service has.
    pub health: Health,
}

impl Service {
    /// Reads the command line. Prints what is wrong and exits with 2.
    pub fn parse<C: Subcommand>(&self) -> C {
        process::parse::<C>(self.command::<C>())
    }

    /// The command line.
    pub fn command<C: Subcommand>(&self) -> clap::Command {
        let command = clap::Command::new(self.name)
            .version(env!("CARGO_PKG_VERSION"))
            .subcommand_required(true)
            .arg_required_else_help(true);
        // The description of `Roles` would replace one that is set before.
        C::augment_subcommands(command).about(self.about)
    }

    /// Runs a role that all services have. `routes` makes the router of the service and spawns the tasks that it needs;
    /// `consume` handles the events of its queue; `openapi` describes its routes.
    pub fn run<Serve: OwnConfig, Consume: Args + AsRef<LogConfig>>(
        &self,
        role: SharedRole<Serve, Consume>,
        routes: impl AsyncFnOnce(Start<Serve>) -> anyhow::Result<Router>,
        consume: impl AsyncFnOnce(Consume, Process) -> anyhow::Result<()>,
        openapi: impl FnOnce() -> Value,
    ) -> ExitCode {
        match role {
            SharedRole::Serve(config) => process::run(&config.log.clone(), |process| {
                self.serve(*config, process, routes)
            }),
            SharedRole::ConsumeEvents(config) => {
                let log = config.as_ref().as_ref().clone();
                process::run(&log, |process| consume(*config, process))
            }
            SharedRole::Migrate(config) => process::run(&config.log.clone(), |process| {
                self.migrate(*config, process)
            }),
            SharedRole::Openapi => docs::print(&openapi()),
            SharedRole::Healthcheck(config) => health::healthcheck(&config),
        }
    }

    async fn serve<Own: OwnConfig>(
        &self,
        config: ServeConfig<Own>,
        process: Process,
        routes: impl AsyncFnOnce(Start<Own>) -> anyhow::Result<Router>,
    ) -> anyhow::Result<()> {
        config
            .environment
            .check("DATABASE_URL", &config.database.address()?)?;
        config.own.check(&config.environment)?;
        let stopping = process.stopping();
        let pool = database::connect(&config.database, &stopping).await?;
        database::ensure_current(&pool, self.migrators, self.name).await?;
        let address = config.http.http_addr;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("HTTP_ADDR: cannot listen on {address}; choose another port")
        })?;
        let health = Health::new();
        let probe = Probe::new(&pool);
        health.check("database", move || Arc::clone(&probe).ask());
        let start = Start {
            config: config.own,
            pool,
            process: process.clone(),
            health: health.clone(),
        };
        let router = server::layers(routes(start).await?, &config.http)?;
        process.spawn(
            "internal listener",
            health::serve(config.internal, health, stopping.clone()),
        );
        tracing::info!("Listening on http://{address}{}", self.api);
        server::serve(listener, router, stopping).await;
        Ok(())
    }

    /// Brings the database to this version's schema.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self, config: MigrateConfig, process: Process) -> anyhow::Result<()> {
        config
            .environment
            .check("DATABASE_URL", &config.database.address()?)?;
        database::migrate(&config.database, self.migrators, &process.stopping()).await?;
        tracing::info!("The database is at this version's schema");
        Ok(())
    }
}
