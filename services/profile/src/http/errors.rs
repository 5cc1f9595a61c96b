//! The problems that only profile-service answers with, and the errors that they stand for.

use crate::{
    actions::{OwnError, PlaceError},
    store::establishments::Uses,
};
use axum::http::StatusCode;
use messaging::EnqueueError;
use service_kit::http::{ErrorCode, Kind, Problem, problem::FieldErrors};

/// All of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Error {
    AuthUnavailable,
    EmailTaken,
    NumberTaken,
    CodeTaken,
    NameTaken,
    InUse,
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
            Self::CodeTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "CODE_TAKEN",
                detail: "code: Another establishment has this code.",
                hint: None,
            },
            Self::NameTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "NAME_TAKEN",
                detail: "name: Another service of the establishment has this name.",
                hint: None,
            },
            Self::InUse => Kind {
                status: StatusCode::CONFLICT,
                code: "IN_USE",
                detail: "In use by hospital services: 2, encadrants: 5.",
                hint: Some("Delete these first, or change what they refer to."),
            },
        }
    }
}

impl From<OwnError> for Problem {
    fn from(error: OwnError) -> Self {
        match error {
            OwnError::Gone => gone(),
            OwnError::Taken(fields) => taken(&fields),
            OwnError::Unknown(fields) => unknown(&fields),
            OwnError::Database(error) | OwnError::Enqueue(EnqueueError::Database(error)) => {
                error.into()
            }
            OwnError::Enqueue(error) => Self::internal(error),
        }
    }
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::NoEstablishment => no_establishment(),
            PlaceError::NoService => no_service(),
            PlaceError::UnknownEstablishment => unknown(&["establishment_id"]),
            PlaceError::CodeTaken => {
                let message = "Another establishment has this code.";
                Self::from(Error::CodeTaken).errors(one_field("code", message))
            }
            PlaceError::NameTaken => {
                let message = "Another service of the establishment has this name.";
                Self::from(Error::NameTaken).errors(one_field("name", message))
            }
            PlaceError::InUse(uses) => Self::from(Error::InUse).detail(in_use(uses)),
            PlaceError::Database(error) | PlaceError::Enqueue(EnqueueError::Database(error)) => {
                error.into()
            }
            PlaceError::Enqueue(error) => Self::internal(error),
        }
    }
}

fn one_field(field: &str, message: &str) -> FieldErrors {
    [(field.to_owned(), vec![message.to_owned()])].into()
}

fn in_use(uses: Uses) -> String {
    let counts = [
        ("hospital services", uses.services),
        ("encadrants", uses.encadrants),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(name, count)| format!("{name}: {count}"))
        .collect();
    format!("In use by {}.", counts.join(", "))
}

/// 400: the field is required.
pub(super) fn required(field: &str) -> Problem {
    Problem::validation(one_field(field, "This field is required."))
}

/// 400: there is nothing with the ids in these fields.
pub(super) fn unknown(fields: &[&str]) -> Problem {
    let errors = fields.iter().map(|field| {
        let message = match *field {
            "service_id" => "There is no such service, or it belongs to another establishment.",
            _ => "There is no such establishment.",
        };
        ((*field).to_owned(), vec![message.to_owned()])
    });
    Problem::validation(errors.collect())
}

pub(super) fn no_establishment() -> Problem {
    Problem::not_found("There is no such establishment.")
}

pub(super) fn no_service() -> Problem {
    Problem::not_found("There is no such hospital service.")
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
