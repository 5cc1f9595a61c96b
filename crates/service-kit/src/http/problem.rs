//! Errors as people and programs read them: RFC 9457, `application/problem+json`.

use crate::{database, http::RequestId};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Field → messages.
pub type FieldErrors = BTreeMap<String, Vec<String>>;

/// Why a request was not done.
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

impl Problem {
    /// A problem with a `code` for programs and a `detail` for people: one line that reads well alone.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            hint: None,
            errors: FieldErrors::new(),
            retry_after: None,
            cause: None,
        }
    }

    /// 400: what is wrong with which field, all at once.
    pub fn validation(errors: FieldErrors) -> Self {
        let lines = errors
            .iter()
            .flat_map(|(field, messages)| messages.iter().map(move |m| format!("{field}: {m}")));
        let detail = lines.collect::<Vec<_>>().join("; ");
        Self {
            errors,
            ..Self::new(StatusCode::BAD_REQUEST, "VALIDATION", detail)
        }
    }

    /// 404, also for what belongs to somebody else.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", detail)
    }

    /// 500. The cause is logged, with the request id; it is not told.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL",
            "Something went wrong on our side.",
        )
        .hint("Try again; if it goes on, report the request_id.");
        Self {
            cause: Some(cause.to_string().into()),
            ..problem
        }
    }

    /// What a refusal becomes that came from a library, and says no more than its status.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::BAD_REQUEST => Self::new(
                status,
                "BAD_REQUEST",
                "The address or its parameters cannot be read; check its % escapes.",
            ),
            _ if status.is_client_error() => {
                Self::new(status, "REFUSED", "This request cannot be taken.")
            }
            _ => Self {
                status,
                ..Self::internal(format!("a handler answered {status}"))
            },
        }
    }

    /// 503, to be tried again after so many seconds.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(retry_after)
    }

    /// What to do next.
    #[must_use]
    pub fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Seconds after which another try may work.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The answer, whole; what is not told is logged.
    pub(crate) fn render(self, request_id: RequestId) -> Response {
        if let Some(cause) = self.cause {
            tracing::error!(request_id = %request_id.0, "A request failed: {cause}");
        }
        let body = Body {
            r#type: format!("urn:medtrack:problem:{}", self.code.to_lowercase()),
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
    /// The body is written by [`crate::http::server::layers`], which knows the request id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        if database::classify(&error) == database::Class::Unavailable {
            let detail = "The service cannot reach its database at the moment.";
            let away =
                Self::unavailable("DATABASE_AWAY", detail, 2).hint("Try again in a few seconds.");
            return Self {
                cause: Some(format!("the database does not answer: {error}").into()),
                ..away
            };
        }
        Self::internal(error)
    }
}
