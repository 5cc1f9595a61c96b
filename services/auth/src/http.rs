//! The door for users.

mod accounts;
mod answers;
mod bodies;
mod me;

use crate::{NAME, config::Serve, passwords::Hasher, tokens::Signer};
use axum::{
    Json, Router,
    extract::{FromRef, State},
};
use events::Role;
use jsonwebtoken::jwk::JwkSet;
use messaging::{Broker, Outbox};
use serde_json::Value;
use service_kit::{
    Start,
    http::{Verifier, docs},
};
use sqlx::PgPool;
use std::sync::Arc;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers work with.
#[derive(Clone)]
pub struct App {
    /// For reads.
    pub pool: PgPool,
    /// For changes.
    pub outbox: Outbox,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Signs access tokens.
    pub signer: Signer,
    /// Who may register without an administrator.
    pub registration_roles: Arc<[Role]>,
}

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.signer.verifier()
    }
}

/// Starts the API: makes the router, and runs the relay and the upkeep of the signing keys beside it.
///
/// # Errors
/// When there is no signing key, or the broker's address is malformed.
pub(crate) async fn start(start: Start<Serve>) -> anyhow::Result<Router> {
    let stopping = start.process.stopping();
    let signer = Signer::load(&start.config.token, &start.pool).await?;
    let broker = Broker::new(&start.config.broker, NAME)?;
    let outbox = messaging::start_relay(&start.process, start.pool.clone(), broker);
    let keys = signer.clone().keep_up(start.pool.clone(), stopping);
    start.process.spawn("signing keys", keys);
    let app = App {
        pool: start.pool,
        outbox,
        hasher: Hasher::new(),
        signer,
        registration_roles: start.config.registration.registration_roles.into(),
    };
    let (router, document) = documented();
    Ok(router
        .with_state(app)
        .merge(docs::page("/auth/api/docs", document)))
}

/// What this service answers, as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(me::show, me::change, me::delete))
        .routes(routes!(me::change_email))
        .routes(routes!(jwks));
    docs::documented(
        "auth-service",
        "Accounts: registration, log-in, tokens.",
        routes,
    )
}

/// The keys that access tokens are signed with: RFC 7517.
#[utoipa::path(
    get,
    path = "/auth/.well-known/jwks.json",
    tag = "tokens",
    responses((status = OK, description = "The public keys.", body = Object))
)]
async fn jwks(State(app): State<App>) -> Json<JwkSet> {
    Json(app.signer.public_keys())
}
