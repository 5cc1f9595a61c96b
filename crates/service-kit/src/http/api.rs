//! The state of an API that checks the tokens of auth-service.

use crate::{Start, config::VerifierConfig, http::Verifier};
use axum::extract::FromRef;
use sqlx::PgPool;
use std::future::ready;

/// What the handlers of such an API work with.
#[derive(Clone, FromRef)]
pub struct Api {
    /// The pool of connections to the service's database.
    pub pool: PgPool,
    /// Checks access tokens.
    pub verifier: Verifier,
}

impl Api {
    /// Makes the state, and keeps the public keys of auth-service fresh until the process stops.
    ///
    /// # Errors
    /// Fails when no HTTP client can be made.
    pub fn start(start: Start<VerifierConfig>) -> anyhow::Result<Self> {
        let verifier = Verifier::remote(&start.config.token, &start.config.jwks)?;
        let keys = verifier.clone();
        start.health.check("keys", move || ready(keys.has_keys()));
        start.process.spawn(
            "public keys",
            verifier.clone().keep_fresh(start.process.stopping()),
        );
        Ok(Self {
            pool: start.pool,
            verifier,
        })
    }
}
