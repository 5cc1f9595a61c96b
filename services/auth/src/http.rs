//! The door for users.

mod accounts;
mod answers;
mod me;

use crate::{passwords::Hasher, tokens::Signer};
use axum::{
    Json, Router,
    extract::{FromRef, State},
    routing::{get, post},
};
use events::Role;
use jsonwebtoken::jwk::JwkSet;
use messaging::Outbox;
use service_kit::http::Verifier;
use sqlx::PgPool;
use std::sync::Arc;

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

/// All routes of auth-service.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/auth/api/v1/register", post(accounts::register))
        .route("/auth/api/v1/login", post(accounts::login))
        .route("/auth/api/v1/users/me", get(me::show).patch(me::change).delete(me::delete))
        .route("/auth/api/v1/users/me/email", post(me::change_email))
        .route("/auth/.well-known/jwks.json", get(jwks))
        .with_state(app)
}

async fn jwks(State(app): State<App>) -> Json<JwkSet> {
    Json(app.signer.public_keys())
}
