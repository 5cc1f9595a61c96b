//! The HTTP API.

mod notifications;

use axum::{Router, extract::FromRef};
use serde_json::Value;
use service_kit::{
    Start,
    config::VerifierConfig,
    http::{Verifier, docs},
};
use sqlx::PgPool;
use utoipa_axum::{router::OpenApiRouter, routes};

#[derive(Clone, FromRef)]
struct App {
    pool: PgPool,
    verifier: Verifier,
}

/// Starts the API: makes the router, and keeps the public keys of auth-service fresh.
///
/// # Errors
/// When no HTTP client can be made.
pub async fn start(start: Start<VerifierConfig>) -> anyhow::Result<Router> {
    let verifier = Verifier::remote(&start.config.token, &start.config.jwks)?;
    start.process.spawn(
        "public keys",
        verifier.clone().keep_fresh(start.process.stopping()),
    );
    let (router, document) = documented();
    let app = App {
        pool: start.pool,
        verifier,
    };
    Ok(router
        .with_state(app)
        .merge(docs::page("/comm/api/docs", document)))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::unread_count))
        .routes(routes!(notifications::one))
        .routes(routes!(notifications::read));
    docs::documented("comm-service", "What users are told.", routes)
}
