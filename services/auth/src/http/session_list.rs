//! The sessions of a user: the list, their end, and the confirmation of the password.

use super::{
    App, RequestCause,
    client::Client,
    cookie::Ended,
    errors::{Error, gone},
    password_check::{Confirmation, check_confirmation},
};
use crate::{
    actions,
    store::{
        self,
        audit::{Action, Actor},
    },
    tokens,
};
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use service_kit::http::{Body, Common, CurrentUser, Problem, detached, docs::problems};
use utoipa::ToSchema;
use uuid::Uuid;

/// A session that has not ended.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// The id of the session: claim `sid` of its access tokens.
    id: Uuid,
    user_id: Uuid,
    /// When the user logged in.
    issued_at: DateTime<Utc>,
    /// When it last gave out an access token.
    last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    expires_at: DateTime<Utc>,
    #[schema(value_type = ClientInfo)]
    client_info: Value,
    /// Always false: sessions that have ended are left out.
    revoked: bool,
    /// Whether it is the session of this request.
    current: bool,
}

impl Session {
    /// A session as its user sees it in a request of the session `current`.
    pub(super) fn shown(session: store::sessions::Session, current: Uuid) -> Self {
        Self {
            current: session.id == current,
            id: session.id,
            user_id: session.user_id,
            issued_at: session.issued_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            client_info: session.client_info,
            revoked: false,
        }
    }
}

/// What is known of the client of a session.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the session keeps")]
struct ClientInfo {
    /// A few words for people.
    #[schema(examples("Firefox on Windows"))]
    device: String,
    /// The address at the log-in.
    #[schema(examples("192.0.2.7"))]
    ip: String,
    /// The header `User-Agent` at the log-in.
    #[schema(examples(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
    ))]
    user_agent: String,
}

/// A new access token.
#[derive(Serialize, ToSchema)]
pub(super) struct Confirmed {
    /// A JWT with a new `auth_time`.
    #[schema(examples("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTk3ZjNhMiJ9.c2lnbmF0dXJl"))]
    access_token: String,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Life of the access token, in seconds.
    #[schema(examples(900))]
    expires_in: i64,
}

/// Lists the sessions of the user, the one used last first.
#[utoipa::path(
    get,
    path = "/auth/api/v1/sessions",
    tag = "sessions",
    security(("access_token" = [])),
    responses((status = OK, description = "The sessions that have not ended.", body = Vec<Session>)),
)]
pub(super) async fn list(
    user: CurrentUser,
    State(app): State<App>,
) -> Result<Json<Vec<Session>>, Problem> {
    let mut connection = app.pool.acquire().await?;
    let sessions = store::sessions::list(&mut connection, user.id).await?;
    let shown = |session| Session::shown(session, user.session_id);
    Ok(Json(sessions.into_iter().map(shown).collect()))
}

/// Ends all sessions of the user, that of this request included.
#[utoipa::path(
    delete,
    path = "/auth/api/v1/sessions",
    tag = "sessions",
    security(("access_token" = [])),
    responses((status = NO_CONTENT, description = "All sessions have ended.")),
)]
pub(super) async fn revoke_all(
    user: CurrentUser,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    client: Client,
    headers: HeaderMap,
) -> Result<Ended, Problem> {
    let by = Actor::user(user.id, client.detail());
    let ended = app.cookies.end(&headers);
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        actions::sessions::revoke_all(&mut tx, &cause, user.id).await?;
        store::audit::write(&mut tx, by.did(Action::RevokeSessions, user.id)).await?;
        tx.commit().await?;
        Ok(ended)
    })
    .await
}

/// Ends one session of the user.
#[utoipa::path(
    delete,
    path = "/auth/api/v1/sessions/{id}",
    tag = "sessions",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The session.")),
    responses((status = NO_CONTENT, description = "The session has ended.")),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound]))))
)]
pub(super) async fn revoke(
    user: CurrentUser,
    Path(id): Path<String>,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    client: Client,
) -> Result<StatusCode, Problem> {
    let by = Actor::user(user.id, client.detail());
    let unknown = || Problem::not_found("There is no such session.");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        if !actions::sessions::revoke(&mut tx, &cause, user.id, id).await? {
            return Err(unknown());
        }
        store::audit::write(&mut tx, by.did(Action::RevokeSessions, user.id)).await?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Confirms the password, for changes that need it to have been given in the last minutes.
#[utoipa::path(
    post,
    path = "/auth/api/v1/sessions/current/confirm",
    tag = "sessions",
    security(("access_token" = [])),
    request_body = Confirmation,
    responses((status = OK, description = "A new access token.", body = Confirmed)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound, &Error::TooManyAttempts, &Error::Busy]))))
)]
pub(super) async fn confirm(
    user: CurrentUser,
    client: Client,
    State(app): State<App>,
    Body(body): Body<Confirmation>,
) -> Result<Json<Confirmed>, Problem> {
    check_confirmation(&app, &user, &client, body).await?;
    detached(async move {
        let mut tx = app.pool.begin().await?;
        let current = store::users::by_id(&mut tx, user.id)
            .await?
            .ok_or_else(gone)?;
        let confirmed = store::sessions::confirm(&mut tx, user.session_id).await?;
        tx.commit().await?;
        let session = actions::sessions::Session {
            id: user.session_id,
            authenticated_at: confirmed.ok_or(Common::InvalidToken)?,
        };
        let signed = app.signer.sign(&current, &session);
        Ok(Json(Confirmed {
            access_token: signed.map_err(Problem::internal)?,
            token_type: "Bearer",
            expires_in: tokens::ACCESS_TOKEN_TTL,
        }))
    })
    .await
}
