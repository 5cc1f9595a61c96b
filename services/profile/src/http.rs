//! The HTTP API.

mod auth;
mod change;
mod create;
mod dashboard;
mod effect;
mod encadrants;
mod errors;
mod establishments;
mod export;
mod fields;
mod lists;
mod me;
mod new_user;
mod profiles;
mod rights;
mod services;
mod students;

use crate::{SERVICE, config::Serve, purge};
use auth::AuthService;
use axum::{Router, extract::FromRef};
use messaging::{Broker, Outbox};
use serde_json::Value;
use service_kit::{
    Start,
    http::{Api, Verifier, docs},
};
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers need.
#[derive(Clone)]
struct App {
    api: Api,
    outbox: Outbox,
    auth: AuthService,
}

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.api.verifier.clone()
    }
}

impl FromRef<App> for PgPool {
    fn from_ref(app: &App) -> Self {
        app.api.pool.clone()
    }
}

/// Starts the API: makes the router, and runs the relay beside it.
///
/// # Errors
/// Fails when the broker's address is malformed, or when no HTTP client can be made.
pub(crate) async fn start(start: Start<Serve>) -> anyhow::Result<Router> {
    let auth = AuthService::new(&start.config.auth)?;
    let broker = Broker::new(&start.config.broker, SERVICE.name)?;
    let process = start.process.clone();
    let outbox = messaging::start_relay(&process, &start.health, start.pool.clone(), broker);
    let purge = purge::run(start.pool.clone(), process.stopping());
    process.spawn("purge", purge);
    let api = Api::start(Start {
        config: start.config.verifier,
        pool: start.pool,
        process: start.process,
        health: start.health,
    })?;
    messaging::follow_revocations(&process, api.pool.clone(), api.verifier.revocations()).await;
    let (router, document) = documented();
    Ok(router
        .with_state(App { api, outbox, auth })
        .merge(docs::page("/profile/api/docs", document)))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(me::show, me::change))
        .routes(routes!(export::export))
        .routes(routes!(me::show_student, me::change_student))
        .routes(routes!(me::show_encadrant, me::change_encadrant))
        .routes(routes!(students::list, create::student))
        .routes(routes!(students::one, students::change, students::delete))
        .routes(routes!(students::of_user))
        .routes(routes!(encadrants::list, create::encadrant))
        .routes(routes!(
            encadrants::one,
            encadrants::change,
            encadrants::delete
        ))
        .routes(routes!(encadrants::of_user))
        .routes(routes!(encadrants::of_establishment))
        .routes(routes!(establishments::list, establishments::create))
        .routes(routes!(
            establishments::one,
            establishments::change,
            establishments::delete
        ))
        .routes(routes!(services::list, services::create))
        .routes(routes!(services::one, services::change, services::delete))
        .routes(routes!(dashboard::stats))
        .routes(routes!(dashboard::old_stats));
    docs::documented(
        "profile-service",
        "Students and encadrants, and the establishments with the hospital services where they work.",
        routes,
    )
}
