//! Log-in, and the response that opens a session.

use super::{
    App,
    errors::{Error, locked},
    fields::ClaimedPassword,
    users::User,
};
use crate::{
    actions::{self, sessions::Opened},
    domain::{Email, Password},
    store::{self, logins::Attempt},
    tokens::{self, Signer},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::{
    body,
    http::{Body, ClientAddress, Problem, detached, docs::problems},
};
use std::net::IpAddr;
use utoipa::ToSchema;

body! {
    /// Who logs in.
    pub(super) struct LogIn {
        email: String = "test.student@example.com",
        password: ClaimedPassword = "SecurePass123!",
    }
}

/// The answer to a registration and to a log-in.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// A JWT, to be sent as a bearer token; its claims are those of `AccessTokenClaims`.
    #[schema(examples("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTk3ZjNhMiJ9.c2lnbmF0dXJl"))]
    access_token: String,
    /// Opaque.
    #[schema(examples("3q2-7w0fXk9hJ5v1bR8sTnYcLzQe6uAiGdMoPxWtVBE"))]
    refresh_token: String,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Life of the access token, in seconds.
    #[schema(examples(900))]
    expires_in: i64,
    user: User,
}

impl LoggedIn {
    pub(super) fn new(
        signer: &Signer,
        user: store::users::User,
        session: Opened,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let access_token = signer
            .sign(&user, session.id, now)
            .map_err(Problem::internal)?;
        Ok(Self {
            access_token,
            refresh_token: session.refresh_token,
            token_type: "Bearer",
            expires_in: tokens::ACCESS_TOKEN_TTL,
            user: user.into(),
        })
    }
}

/// Logs a user in.
#[utoipa::path(
    post,
    path = "/auth/api/v1/login",
    tag = "users",
    request_body = LogIn,
    responses((status = OK, description = "The user, logged in.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[
        &Error::InvalidCredentials,
        &Error::TooManyAttempts,
        &Error::Busy,
    ]))))
)]
pub(super) async fn login(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    headers: HeaderMap,
    Body(credentials): Body<LogIn>,
) -> Result<Json<LoggedIn>, Problem> {
    let email = credentials.email;
    let attempt = count(&app, &email, client).await?;
    // A text that is not an address takes as long to refuse as an unknown address.
    let existing = match Email::parse(&email) {
        Ok(email) => store::users::by_email(&mut *app.pool.acquire().await?, &email).await?,
        Err(_) => None,
    };
    let hash = existing.as_ref().map(|login| login.password_hash.clone());
    let matches = verify(&app, &attempt, credentials.password.0, hash).await?;
    let user = existing
        .map(|login| login.user)
        .filter(|user| matches && user.is_active);
    let Some(user) = user else {
        return Err(Error::InvalidCredentials.into());
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let now = Utc::now();
        let session =
            actions::sessions::open(&mut tx, user.user_id(), client_info(&headers), now).await?;
        let response = LoggedIn::new(&app.signer, user, session, now)?;
        store::logins::succeeded(&mut tx, &attempt).await?;
        tx.commit().await?;
        Ok(Json(response))
    })
    .await
}

/// Counts a try to log in, before its password is checked. The try is a failure until [`store::logins::succeeded`] says
/// that it was none.
pub(super) async fn count(app: &App, email: &str, client: IpAddr) -> Result<Attempt, Problem> {
    let attempt = app.throttle.attempt(email, client);
    let pool = app.pool.clone();
    detached(async move {
        let mut tx = pool.begin().await?;
        if store::logins::count(&mut tx, &attempt).await? {
            tx.commit().await?;
            return Ok(attempt);
        }
        tx.rollback().await?;
        let seconds = store::logins::locked_for(&mut *pool.acquire().await?, &attempt).await?;
        // The lock may have ended in between.
        Err(locked(seconds.unwrap_or(1)))
    })
    .await
}

/// Whether this is the password of the hash. A try that is not checked, because too many passwords wait, is not counted.
pub(super) async fn verify(
    app: &App,
    attempt: &Attempt,
    password: Password,
    hash: Option<String>,
) -> Result<bool, Problem> {
    match app.hasher.verify(password, hash).await {
        Ok(matches) => Ok(matches),
        Err(busy) => {
            let (app, attempt) = (app.clone(), attempt.clone());
            detached(async move {
                let mut tx = app.pool.begin().await?;
                store::logins::take_back(&mut tx, &attempt).await?;
                tx.commit().await?;
                Err(busy.into())
            })
            .await
        }
    }
}

/// What the session keeps about the client.
pub(super) fn client_info(headers: &HeaderMap) -> Value {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    json!({"user_agent": agent.chars().take(256).collect::<String>()})
}
