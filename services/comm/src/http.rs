//! The HTTP API.

mod export;
mod notifications;

use axum::Router;
use serde_json::Value;
use service_kit::{
    Start,
    config::VerifierConfig,
    http::{Api, docs},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Makes the router.
///
/// # Errors
/// Fails when no HTTP client can be made.
pub(crate) async fn start(start: Start<VerifierConfig>) -> anyhow::Result<Router> {
    let process = start.process.clone();
    let api = Api::start(start)?;
    messaging::follow_revocations(&process, api.pool.clone(), api.verifier.revocations()).await;
    let (router, document) = documented();
    Ok(router
        .with_state(api)
        .merge(docs::page("/comm/api/docs", document)))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<Api>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::unread_count))
        .routes(routes!(notifications::one))
        .routes(routes!(notifications::read))
        .routes(routes!(export::export));
    docs::documented("comm-service", "The notifications of users.", routes)
}
