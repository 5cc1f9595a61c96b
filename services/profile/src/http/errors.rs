//! The problems that only profile-service answers with, and the errors that they stand for.

use crate::actions::OwnError;
use axum::http::StatusCode;
use messaging::EnqueueError;
use service_kit::http::{ErrorCode, Kind, Problem, problem::FieldErrors};

/// All of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Error {
    AuthUnavailable,
    EmailTaken,
    NumberTaken,
}

impl ErrorCode for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::AuthUnavailable => Kind {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "AUTH_UNAVAILABLE",
                detail: "auth-service, which keeps names, phones and log-ins, does not answer at the moment.",
                hint: Some("Try again in a few seconds."),
            },
            Self::EmailTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "EMAIL_TAKEN",
                detail: "email: A user with this e-mail exists already.",
                hint: None,
            },
            Self::NumberTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "NUMBER_TAKEN",
                detail: "cin: Another profile has this number.",
                hint: None,
            },
        }
    }
}

impl From<OwnError> for Problem {
    fn from(error: OwnError) -> Self {
        match error {
            OwnError::Gone => gone(),
            OwnError::Taken(fields) => taken(&fields),
            OwnError::Database(error) | OwnError::Enqueue(EnqueueError::Database(error)) => {
                error.into()
            }
            OwnError::Enqueue(error) => Self::internal(error),
        }
    }
}

/// 409: another user has the address.
pub(super) fn email_taken() -> Problem {
    let message = "A user with this e-mail exists already.".to_owned();
    Problem::from(Error::EmailTaken).errors([("email".to_owned(), vec![message])].into())
}

pub(super) fn gone() -> Problem {
    Problem::not_found("There is no such profile.")
}

/// 409: other profiles have the values of these fields.
pub(super) fn taken(fields: &[String]) -> Problem {
    let message = "Another profile has this number.";
    let lines: Vec<String> = fields
        .iter()
        .map(|field| format!("{field}: {message}"))
        .collect();
    let errors: FieldErrors = fields
        .iter()
        .map(|field| (field.clone(), vec![message.to_owned()]))
        .collect();
    Problem::from(Error::NumberTaken)
        .detail(lines.join("; "))
        .errors(errors)
}
