//! The HTTP API.

mod admin;
mod audit;
mod client;
mod cookie;
mod creation;
mod errors;
mod export;
mod fields;
mod links;
mod password_check;
mod passwords;
mod registration;
mod repeat;
mod session_list;
mod sessions;
mod users;

use crate::{
    SERVICE,
    actions::{self, mails::Mails},
    config::Serve,
    passwords::Hasher,
    purge,
    throttle::Throttle,
    tokens::Signer,
    unverified::Unverified,
};
use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts, State},
    http::request::Parts,
};
use cookie::Cookies;
use events::Role;
use jsonwebtoken::jwk::JwkSet;
use mail::Worker;
use messaging::{Broker, Cause, Outbox};
use serde_json::Value;
use service_kit::{
    Start,
    http::{RequestId, Traceparent, Verifier, docs},
};
use sqlx::PgPool;
use std::{convert::Infallible, sync::Arc};
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the handlers need.
#[derive(Clone)]
struct App {
    pool: PgPool,
    outbox: Outbox,
    hasher: Hasher,
    signer: Signer,
    throttle: Throttle,
    mails: Mails,
    cookies: Cookies,
    registration_roles: Arc<[Role]>,
}

/// The request as the cause of events: its id is their correlation id.
struct RequestCause(Cause);

impl<S: Send + Sync> FromRequestParts<S> for RequestCause {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let RequestId(id) = RequestId::from_request_parts(parts, state).await?;
        let Traceparent(traceparent) = Traceparent::from_request_parts(parts, state).await?;
        Ok(Self(Cause::root(id).with_traceparent(traceparent)))
    }
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
    start.config.password.apply();
    let stopping = start.process.stopping();
    let signer = Signer::load(&start.config.token, &start.pool).await?;
    let broker = Broker::new(&start.config.broker, SERVICE.name)?;
    let revocations = signer.verifier().revocations();
    let outbox = messaging::start_relay(&start.process, &start.health, start.pool.clone(), broker)
        .with_revocations(revocations.clone());
    messaging::follow_revocations(&start.process, start.pool.clone(), revocations).await;
    let keys = signer.clone().keep_up(start.pool.clone(), stopping.clone());
    let purge = purge::run(start.pool.clone(), start.process.stopping());
    start.process.spawn("signing keys", keys);
    start.process.spawn("purge", purge);
    let hasher = Hasher::new();
    let memory = hasher.clone().give_back(stopping);
    start.process.spawn("password memory", memory);
    let (throttle, mails) = start_mails(&start, &outbox).await?;
    let app = App {
        throttle,
        mails,
        cookies: Cookies::new(&start.config.pages.public_url),
        pool: start.pool,
        outbox,
        hasher,
        signer,
        registration_roles: start.config.registration.registration_roles.into(),
    };
    let (router, document) = documented();
    Ok(router
        .with_state(app)
        .merge(docs::page("/auth/api/docs", document)))
}

/// Starts what sends mails, and what depends on the answers to them.
async fn start_mails(start: &Start<Serve>, outbox: &Outbox) -> anyhow::Result<(Throttle, Mails)> {
    let (process, config) = (&start.process, &start.config.mail);
    let (pool, page) = (start.pool.clone(), &start.config.pages.public_url);
    let worker = Worker::new(pool, config, page, actions::links::draw)?;
    process.spawn("mail", worker.run(process.stopping()));
    let throttle = Throttle::load(&start.pool).await?;
    let mails = Mails::new(throttle.clone(), !config.is_off()?);
    if config.is_set_up()? {
        let unverified = Unverified {
            outbox: outbox.clone(),
            mails: mails.clone(),
            throttle: throttle.clone(),
        };
        process.spawn("unverified users", unverified.run(process.stopping()));
    }
    Ok((throttle, mails))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(registration::register))
        .routes(routes!(sessions::login))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(session_list::list, session_list::revoke_all))
        .routes(routes!(session_list::confirm))
        .routes(routes!(session_list::revoke))
        .routes(routes!(users::show, users::change, users::delete))
        .routes(routes!(users::change_email))
        .routes(routes!(export::export))
        .routes(routes!(passwords::change))
        .routes(routes!(passwords::change_old_spelling))
        .routes(routes!(links::verify_email))
        .routes(routes!(links::send_verification))
        .routes(routes!(links::restore_email))
        .routes(routes!(links::forgot_password))
        .routes(routes!(links::reset_password))
        .routes(routes!(admin::list, creation::create))
        .routes(routes!(admin::show, admin::change, admin::delete))
        .routes(routes!(audit::list))
        .routes(routes!(jwks));
    docs::documented(
        "auth-service",
        "Users: registration, log-in, tokens.",
        routes,
    )
}

/// The keys that access tokens are signed with: RFC 7517.
#[utoipa::path(
    get,
    path = "/auth/.well-known/jwks.json",
    tag = "tokens",
    responses((
        status = OK,
        description = "The public keys.",
        body = Object,
        example = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
            "kid": "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }]}),
    ))
)]
async fn jwks(State(app): State<App>) -> Json<JwkSet> {
    Json(app.signer.public_keys())
}
