//! auth-service, asked with the token of the caller: it keeps names, phones and log-ins.

use super::errors::{Error, email_taken, gone};
use crate::{config::AuthConfig, domain::Person};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
};
use messaging::Cause;
use reqwest::{Method, Response};
use serde::Deserialize;
use serde_json::Value;
use service_kit::http::{Common, Problem, RequestId, Traceparent, problem::FieldErrors};
use std::{convert::Infallible, sync::Arc, time::Duration};
use uuid::Uuid;

/// How long auth-service may take: it hashes passwords, and others may wait for that too.
const LIMIT: Duration = Duration::from_secs(8);

/// The API of auth-service. Cheap to clone.
#[derive(Clone)]
pub(super) struct AuthService {
    client: reqwest::Client,
    users: Arc<str>,
}

/// Why auth-service did not do what it was asked.
#[derive(Debug)]
pub(super) enum AuthError {
    /// It refused, with this status: nothing was done.
    Refused(StatusCode, Problem),
    /// It did not answer, or takes no work: it is not known whether anything was done.
    Unavailable,
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Refused(_, problem) => problem,
            AuthError::Unavailable => Self::from(Error::AuthUnavailable).retry_after(2),
        }
    }
}

/// A request that is handed on to auth-service: with the caller's own token, under the same id.
#[derive(Clone)]
pub(super) struct Caller {
    authorization: Option<HeaderValue>,
    request_id: Uuid,
    traceparent: Option<String>,
}

/// A user, as auth-service answers one.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct AuthUser {
    id: Uuid,
    email: String,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    locale: Option<String>,
}

/// What is read of a problem that auth-service answers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthProblem {
    code: String,
    detail: String,
    errors: FieldErrors,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let RequestId(request_id) = RequestId::from_request_parts(parts, state).await?;
        let Traceparent(traceparent) = Traceparent::from_request_parts(parts, state).await?;
        Ok(Self {
            authorization: parts.headers.get(header::AUTHORIZATION).cloned(),
            request_id,
            traceparent,
        })
    }
}

impl Caller {
    /// The request as the cause of events: its id is their correlation id.
    pub(super) fn cause(&self) -> Cause {
        Cause::root(self.request_id).with_traceparent(self.traceparent.clone())
    }
}

impl From<AuthUser> for Person {
    fn from(user: AuthUser) -> Self {
        Self {
            user_id: user.id.into(),
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            phone: user.phone,
            locale: user.locale,
        }
    }
}

impl AuthService {
    /// # Errors
    /// When no HTTP client can be made.
    pub(super) fn new(config: &AuthConfig) -> anyhow::Result<Self> {
        // auth-service is reached directly, never through a proxy of the environment.
        let client = reqwest::Client::builder()
            .timeout(LIMIT)
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        let url = config.auth_url.trim_end_matches('/');
        let users = format!("{url}/auth/api/v1/users").into();
        Ok(Self { client, users })
    }

    /// Changes a user: `who` is `me` or an id. Returns the user after the change.
    ///
    /// # Errors
    /// The refusal of auth-service, or 503 when it does not answer.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        who: &str,
        change: &Value,
    ) -> Result<Person, AuthError> {
        let path = format!("/{who}");
        let response = self.ask(caller, Method::PATCH, &path, Some(change)).await?;
        person(response).await
    }

    /// Creates a user; returns the user. The same id with the same address is answered as the first time.
    ///
    /// # Errors
    /// As of [`Self::change`].
    pub(super) async fn create(
        &self,
        caller: &Caller,
        account: &Value,
    ) -> Result<Person, AuthError> {
        let response = self.ask(caller, Method::POST, "", Some(account)).await?;
        person(response).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// As of [`Self::change`].
    pub(super) async fn delete(&self, caller: &Caller, user_id: Uuid) -> Result<(), AuthError> {
        let path = format!("/{user_id}");
        self.ask(caller, Method::DELETE, &path, None).await?;
        Ok(())
    }

    async fn ask(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response, AuthError> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.users))
            .header("x-request-id", caller.request_id.to_string());
        if let Some(authorization) = &caller.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if let Some(traceparent) = &caller.traceparent {
            request = request.header("traceparent", traceparent);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| unavailable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response).await)
    }
}

/// Reads a user. Who cannot is not told whether anything was done.
async fn person(response: Response) -> Result<Person, AuthError> {
    let user: AuthUser = response.json().await.map_err(|error| unavailable(&error))?;
    Ok(user.into())
}

fn unavailable(error: &reqwest::Error) -> AuthError {
    tracing::warn!("auth-service did not answer: {error}");
    AuthError::Unavailable
}

/// The refusal of auth-service, as this service's own.
async fn refused(response: Response) -> AuthError {
    let status = response.status();
    let problem: AuthProblem = response.json().await.unwrap_or_default();
    let refusal = match status {
        StatusCode::BAD_REQUEST if !problem.errors.is_empty() => {
            Problem::validation(problem.errors)
        }
        StatusCode::UNAUTHORIZED if problem.code == "TOKEN_EXPIRED" => Common::TokenExpired.into(),
        StatusCode::UNAUTHORIZED => Common::InvalidToken.into(),
        StatusCode::FORBIDDEN => Problem::from(Common::Forbidden).detail(problem.detail),
        // The user was created, and is deleted.
        StatusCode::CONFLICT if problem.code == "ID_TAKEN" => gone(),
        StatusCode::CONFLICT => email_taken(),
        StatusCode::NOT_FOUND => Problem::not_found(problem.detail),
        _ if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            tracing::warn!("auth-service answered {status} {}", problem.code);
            return AuthError::Unavailable;
        }
        _ => Problem::internal(format!("auth-service answered {status} {}", problem.code)),
    };
    AuthError::Refused(status, refusal)
}
