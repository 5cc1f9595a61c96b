//! The HTTP API.

mod changes;
mod cursor;
mod export;
mod listing;
mod notifications;
mod position;
mod resume;

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
        .routes(routes!(listing::list))
        .routes(routes!(listing::unread_count))
        .routes(routes!(resume::changes))
        .routes(routes!(changes::read_all))
        .routes(routes!(listing::of_user))
        .routes(routes!(listing::one, changes::delete))
        .routes(routes!(changes::read))
        .routes(routes!(changes::unread))
        .routes(routes!(changes::archive))
        .routes(routes!(changes::unarchive))
        .routes(routes!(changes::restore))
        .routes(routes!(export::export));
    docs::documented("comm-service", "The notifications of users.", routes)
}
