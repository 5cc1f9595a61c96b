//! Log-in, refresh and log-out, and the response that opens a session.

use super::{
    App, RequestCause, audit,
    client::Client,
    cookie::{Cookies, Ended, InCookie},
    errors::Error,
    fields::ClaimedPassword,
    password_check::{count, may_log_in, verify},
    users::User,
};
use crate::{
    actions::{
        self,
        sessions::{Opened, Presented},
    },
    domain::{Email, RefreshToken},
    passwords::Check,
    store::{
        self,
        audit::{Action, Actor},
        users::Login,
    },
    throttle::Throttle,
    tokens::{self, Signer},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::AppendHeaders,
};
use serde::Serialize;
use service_kit::{
    body,
    http::{Body, CurrentUser, Problem, body::Patch, detached, docs::problems},
};
use utoipa::ToSchema;

body! {
    /// Who logs in.
    pub(super) struct LogIn {
        email: String = "test.student@example.com",
        password: ClaimedPassword = "SecurePass123!",
        /// `cookie` puts the tokens of the session and of the device into cookies; for the page of this system only.
        session: Option<InCookie> = "cookie",
        /// Whether the browser keeps the cookie when it ends.
        remember: Patch<bool> = true,
        /// The `device` of an earlier log-in or registration on this device, so that wrong passwords of strangers do not
        /// slow this device down. Any other text is ignored.
        device: Option<String> = "nFpzMcQ1CO7m9A3dZUuIQw.K9uM0J4pXrWv1cYyq2t8Ug",
    }
}

body! {
    /// The refresh token that the client has.
    pub(super) struct Refresh {
        /// Absent where a cookie has it.
        refresh_token: Option<String> = "AZfzomwefEqfDl0vihtsPTfq3q2-7w0fXk9hJ5v1bR8sTnYcLzQe6uAiGdMoPxWt",
        /// `cookie`: it is in a cookie, and so will be the next one.
        session: Option<InCookie> = "cookie",
    }
}

/// The response to a registration, a log-in, a refresh and a change of the password.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// A JWT, to be sent as a bearer token; its claims are those of `AccessTokenClaims`.
    #[schema(examples("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTk3ZjNhMiJ9.c2lnbmF0dXJl"))]
    access_token: String,
    /// Opaque. It is exchanged for the next one at each refresh. Absent where it is in a cookie.
    #[schema(examples("AZfzomwefEqfDl0vihtsPTfq3q2-7w0fXk9hJ5v1bR8sTnYcLzQe6uAiGdMoPxWt"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Life of the access token, in seconds.
    #[schema(examples(900))]
    expires_in: i64,
    /// By which this device is recognised when it logs in again; only after a registration and a log-in. It lets nobody
    /// in, and names no user; it stays valid.
    #[schema(examples("nFpzMcQ1CO7m9A3dZUuIQw.K9uM0J4pXrWv1cYyq2t8Ug"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    user: User,
}

impl LoggedIn {
    pub(super) fn new(
        signer: &Signer,
        user: store::users::User,
        opened: &Opened,
    ) -> Result<Self, Problem> {
        let access_token = signer
            .sign(&user, &opened.session)
            .map_err(Problem::internal)?;
        Ok(Self {
            access_token,
            refresh_token: Some(opened.refresh_token.to_text()),
            token_type: "Bearer",
            expires_in: tokens::ACCESS_TOKEN_TTL,
            device: None,
            user: user.into(),
        })
    }

    /// Adds the token by which the device is recognised. `shown` is the one that the client has.
    pub(super) fn on_device(self, throttle: &Throttle, shown: Option<&str>) -> Self {
        Self {
            device: Some(throttle.device(&self.user.email, shown)),
            ..self
        }
    }

    /// Moves the tokens of the session and of the device into cookies, for a page that wants them there.
    pub(super) fn answer(mut self, cookies: Option<&Cookies>, opened: &Opened) -> Answer {
        let mut headers = Vec::new();
        if let Some(cookies) = cookies {
            self.refresh_token = None;
            headers.push(cookies.store_refresh(&opened.refresh_token, opened.is_remembered));
            headers.extend(
                self.device
                    .take()
                    .map(|device| cookies.store_device(&device)),
            );
        }
        let headers = headers.into_iter().map(|value| (header::SET_COOKIE, value));
        (AppendHeaders(headers.collect()), Json(self))
    }
}

/// Tokens, and the cookies that hold some of them.
pub(super) type Answer = (
    AppendHeaders<Vec<(HeaderName, HeaderValue)>>,
    Json<LoggedIn>,
);

/// Logs a user in.
///
/// From the fifth failure on, a client waits: 1 s at first, twice as long after each failure, up to 15 minutes; failures
/// halve every 15 minutes. A device that shows the `device` of an earlier log-in to this account is one client; without it,
/// an address is. The addresses have 30 tries an hour together for one account. From one address, 300 log-ins may fail in a
/// minute.
#[utoipa::path(
    post,
    path = "/auth/api/v1/login",
    tag = "users",
    request_body = LogIn,
    responses((status = OK, description = "The user, logged in.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[
        &Error::InvalidCredentials,
        &Error::OriginNotAllowed,
        &Error::TooManyAttempts,
        &Error::Busy,
    ]))))
)]
pub(super) async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(credentials): Body<LogIn>,
) -> Result<Answer, Problem> {
    let in_cookies = app.cookies.are_wanted(credentials.session, &headers)?;
    let is_remembered = credentials.remember.0.unwrap_or_default();
    let shown = app.cookies.device(&headers).filter(|_| in_cookies);
    let device = credentials.device.or(shown.map(str::to_owned));
    let email = credentials.email;
    let attempt = app
        .throttle
        .attempt(&email, device.as_deref(), client.address);
    count(&app, &attempt).await?;
    // A text that is not an address takes as long to refuse as an unknown address.
    let existing = match Email::parse(&email) {
        Ok(email) => store::users::by_email(&mut *app.pool.acquire().await?, &email).await?,
        Err(_) => None,
    };
    let subject = existing.as_ref().map(|login| login.user.user_id());
    let hash = existing.as_ref().map(|login| login.password_hash.clone());
    let password = credentials.password.0;
    let check = verify(&app, &attempt, password.clone(), hash).await?;
    let login = existing.filter(|login| check != Check::Wrong && login.user.is_active);
    let Some(Login {
        user,
        password_hash,
    }) = login
    else {
        audit::write_failed_login(&app, subject, &email, client.detail()).await?;
        return Err(Error::InvalidCredentials.into());
    };
    // When too many passwords wait, a later log-in replaces the hash.
    let new_hash = match check {
        Check::RightButOutdated => app.hasher.hash(password.clone()).await.ok(),
        _ => None,
    };
    let by = Actor::user(user.user_id(), client.detail());
    let entry = by.did(Action::Login, user.user_id()).about(&user.email);
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let id = user.user_id();
        let hash = Some(password_hash.as_str());
        if !may_log_in(&app, &mut tx, id, password, hash).await? {
            tx.rollback().await?;
            audit::write_failed_login(&app, subject, &email, client.detail()).await?;
            return Err(Error::InvalidCredentials.into());
        }
        if attempt.is_by_a_stranger() {
            app.mails.logged_in(&mut tx, &user, &client.device).await?;
        }
        let session = actions::sessions::open(&mut tx, id, client.info, is_remembered).await?;
        if let Some(new_hash) = new_hash {
            store::users::replace_hash(&mut tx, id, &password_hash, &new_hash).await?;
        }
        let response =
            LoggedIn::new(&app.signer, user, &session)?.on_device(&app.throttle, device.as_deref());
        store::logins::succeeded(&mut tx, &attempt).await?;
        store::audit::write(&mut tx, entry).await?;
        tx.commit().await?;
        Ok(response.answer(in_cookies.then_some(&app.cookies), &session))
    })
    .await
}

/// Exchanges a refresh token for a new access token and the next refresh token.
///
/// A refresh token is used once. Within 30 s it may be used again, with the same result, because the first response may
/// have been lost; a later use ends the session.
#[utoipa::path(
    post,
    path = "/auth/api/v1/refresh",
    tag = "users",
    request_body = Refresh,
    responses((status = OK, description = "The user, with new tokens.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[
        &Error::InvalidRefreshToken,
        &Error::OriginNotAllowed,
    ]))))
)]
pub(super) async fn refresh(
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    client: Client,
    headers: HeaderMap,
    Body(body): Body<Refresh>,
) -> Result<Answer, Problem> {
    let presented = presented(&app, &headers, &body)?;
    // Who has a token is not known to be its user.
    let by = Actor {
        id: None,
        detail: client.detail(),
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let refreshed = actions::sessions::refresh(&mut tx, &cause, &by, &presented).await?;
        tx.commit().await?;
        let (user, session) = refreshed.ok_or(Error::InvalidRefreshToken)?;
        let cookies = presented.is_cookie.then_some(&app.cookies);
        Ok(LoggedIn::new(&app.signer, user, &session)?.answer(cookies, &session))
    })
    .await
}

/// The refresh token of a request.
fn presented(app: &App, headers: &HeaderMap, body: &Refresh) -> Result<Presented, Problem> {
    let token = match (body.session, &body.refresh_token) {
        (Some(InCookie), _) => app.cookies.refresh_token(headers)?,
        (None, Some(token)) => RefreshToken::parse(token).ok_or(Error::InvalidRefreshToken)?,
        (None, None) => {
            let messages = vec!["This field is required.".to_owned()];
            return Err(Problem::validation(
                [("refresh_token".to_owned(), messages)].into(),
            ));
        }
    };
    Ok(Presented {
        token,
        is_cookie: body.session.is_some(),
    })
}

/// Ends the session of the access token.
#[utoipa::path(
    post,
    path = "/auth/api/v1/logout",
    tag = "users",
    security(("access_token" = [])),
    responses((status = NO_CONTENT, description = "The session has ended.")),
)]
pub(super) async fn logout(
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
        if actions::sessions::revoke(&mut tx, &cause, user.id, user.session_id).await? {
            store::audit::write(&mut tx, by.did(Action::Logout, user.id)).await?;
        }
        tx.commit().await?;
        Ok(ended)
    })
    .await
}
