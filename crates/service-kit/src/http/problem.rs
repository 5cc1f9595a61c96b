//! Errors for people and programs: RFC 9457, `application/problem+json`.

use crate::{
    database::{self, Class},
    http::RequestId,
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::{Uuid, uuid};

/// Field → messages.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// One kind of problem.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The HTTP status.
    pub status: StatusCode,
    /// The code for programs.
    pub code: &'static str,
    /// The text for people: one line that can be read alone.
    pub detail: &'static str,
    /// The advice for people.
    pub hint: Option<&'static str>,
}

/// A closed list of the problems that a service answers with: an enum.
pub trait ErrorCode {
    /// The kind of this problem.
    fn kind(&self) -> Kind;
}

/// The problems that every API may answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each code says what it means")]
pub enum Common {
    BadRequest,
    BadBody,
    BadJson,
    Validation,
    NoToken,
    InvalidToken,
    TokenExpired,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    KeyReused,
    TooLarge,
    NotJson,
    Refused,
    Internal,
    Timeout,
    Stopping,
    DatabaseAway,
    KeysAway,
}

impl ErrorCode for Common {
    fn kind(&self) -> Kind {
        const LATER: Option<&str> = Some("Try again in a few seconds.");
        let (status, code, detail, hint) = match self {
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "BAD_REQUEST",
                "The address or its parameters cannot be read; check its % escapes.",
                None,
            ),
            Self::BadBody => (
                StatusCode::BAD_REQUEST,
                "BAD_BODY",
                "The body could not be read to its end.",
                None,
            ),
            Self::BadJson => (
                StatusCode::BAD_REQUEST,
                "BAD_JSON",
                "the body is not JSON",
                None,
            ),
            Self::Validation => (
                StatusCode::BAD_REQUEST,
                "VALIDATION",
                "Some fields cannot be accepted.",
                None,
            ),
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "NO_TOKEN",
                "Send an access token: Authorization: Bearer <token>.",
                None,
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                "INVALID_TOKEN",
                "The access token is not valid; log in again.",
                None,
            ),
            Self::TokenExpired => (
                StatusCode::UNAUTHORIZED,
                "TOKEN_EXPIRED",
                "The access token has expired; log in again.",
                None,
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "FORBIDDEN",
                "This needs another role.",
                None,
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "There is nothing at this address.",
                None,
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "This method is not possible here.",
                None,
            ),
            Self::KeyReused => (
                StatusCode::CONFLICT,
                "KEY_REUSED",
                "Another request had this Idempotency-Key.",
                Some("Draw a new key for each request, and send it again only with the same body."),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "TOO_LARGE",
                "The body is larger than 16 KiB.",
                None,
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "NOT_JSON",
                "The body must be JSON; send the header Content-Type: application/json.",
                None,
            ),
            Self::Refused => (
                StatusCode::BAD_REQUEST,
                "REFUSED",
                "This request cannot be taken.",
                None,
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                "Something went wrong on our side.",
                Some("Try again; if it goes on, report the request_id."),
            ),
            Self::Timeout => (
                StatusCode::SERVICE_UNAVAILABLE,
                "TIMEOUT",
                "The request took longer than 15 s.",
                None,
            ),
            Self::Stopping => (
                StatusCode::SERVICE_UNAVAILABLE,
                "STOPPING",
                "The service is stopping.",
                None,
            ),
            Self::DatabaseAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "DATABASE_AWAY",
                "The service's database takes no work at the moment.",
                LATER,
            ),
            Self::KeysAway => (
                StatusCode::SERVICE_UNAVAILABLE,
                "KEYS_AWAY",
                "This access token cannot be checked at the moment.",
                LATER,
            ),
        };
        Kind {
            status,
            code,
            detail,
            hint,
        }
    }
}

/// The response to a request that was refused or that failed.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: Option<&'static str>,
    errors: FieldErrors,
    retry_after: Option<u64>,
    cause: Option<Box<str>>,
}

/// A problem, as it is written.
#[derive(Serialize, ToSchema)]
pub(crate) struct Body {
    /// Names the kind of problem.
    #[schema(examples("urn:medtrack:problem:validation"))]
    r#type: String,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// For people: one line that reads well alone.
    #[schema(examples("email: This field is required."))]
    detail: String,
    /// For programs.
    #[schema(examples("VALIDATION"))]
    code: &'static str,
    /// Finds the request in the logs.
    request_id: Uuid,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<&'static str>,
    /// Field → messages: what is wrong with which field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(inline)]
    errors: FieldErrors,
}

/// A problem of this kind, as it is written without anything that only a request knows.
pub(crate) fn example(kind: Kind) -> Body {
    Body {
        r#type: type_of(kind.code),
        title: kind.status.canonical_reason().unwrap_or("Error"),
        status: kind.status.as_u16(),
        detail: kind.detail.to_owned(),
        code: kind.code,
        request_id: uuid!("0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d"),
        hint: kind.hint,
        errors: FieldErrors::new(),
    }
}

fn type_of(code: &str) -> String {
    format!("urn:medtrack:problem:{}", code.to_lowercase())
}

impl<E: ErrorCode> From<E> for Problem {
    fn from(error: E) -> Self {
        let kind = error.kind();
        Self {
            status: kind.status,
            code: kind.code,
            detail: kind.detail.to_owned(),
            hint: kind.hint,
            errors: FieldErrors::new(),
            retry_after: None,
            cause: None,
        }
    }
}

impl Problem {
    /// 400 for fields that cannot be accepted, all of them at once.
    pub fn validation(errors: FieldErrors) -> Self {
        let lines = errors
            .iter()
            .flat_map(|(field, messages)| messages.iter().map(move |m| format!("{field}: {m}")));
        let detail = lines.collect::<Vec<_>>().join("; ");
        Self {
            errors,
            ..Self::from(Common::Validation).detail(detail)
        }
    }

    /// 404, also for an object of another user.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::from(Common::NotFound).detail(detail)
    }

    /// 500. The cause is logged; the response does not contain it.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self {
            cause: Some(cause.to_string().into()),
            ..Self::from(Common::Internal)
        }
    }

    /// The problem for a response of a library that has only a status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let problem = match status {
            StatusCode::BAD_REQUEST => Common::BadRequest.into(),
            _ if status.is_client_error() => Common::Refused.into(),
            _ => Self::internal(format!("a handler answered {status}")),
        };
        Self { status, ..problem }
    }

    /// Replaces the text for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Replaces the advice.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Sets the seconds after which another try may work.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Names the fields that are in the way.
    #[must_use]
    pub fn errors(mut self, errors: FieldErrors) -> Self {
        self.errors = errors;
        self
    }

    #[cfg(test)]
    pub(crate) fn into_errors(self) -> FieldErrors {
        self.errors
    }

    /// The whole response. Logs the cause, which the response does not contain; else that the request was refused, so
    /// that its id finds a line for every problem. The detail stays out of the log, because it may quote the request.
    pub(crate) fn render(self, request_id: RequestId) -> Response {
        let (status, code) = (self.status.as_u16(), self.code);
        match self.cause {
            Some(cause) => tracing::error!("A request failed: {cause}"),
            None => tracing::info!(status, code, "A request was refused"),
        }
        let body = Body {
            r#type: type_of(self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
            request_id: request_id.0,
            hint: self.hint,
            errors: self.errors,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    /// [`crate::http::server::layers`] writes the body, because it has the request id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        match database::classify(&error) {
            Class::Unavailable | Class::TimedOut | Class::Conflict => Self {
                cause: Some(format!("the database took no work: {error}").into()),
                ..Self::from(Common::DatabaseAway).retry_after(2)
            },
            Class::InvalidData | Class::Other => Self::internal(error),
        }
    }
}
