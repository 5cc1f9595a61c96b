//! The problems that only auth-service answers with, and the errors that they stand for.

use crate::{actions::users::UserError, passwords::Busy};
use axum::http::StatusCode;
use events::Role;
use messaging::EnqueueError;
use service_kit::http::{ErrorCode, Kind, Problem};

/// All of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Error {
    InvalidCredentials,
    InvalidRefreshToken,
    InvalidLink,
    OriginNotAllowed,
    RoleNotAllowed,
    EmailTaken,
    IdTaken,
    LastAdmin,
    OwnRole,
    TooManyAttempts,
    TooManyRequests,
    Busy,
}

impl ErrorCode for Error {
    fn kind(&self) -> Kind {
        match self {
            // The same for an unknown address, a disabled user and a wrong password.
            Self::InvalidCredentials => Kind {
                status: StatusCode::UNAUTHORIZED,
                code: "INVALID_CREDENTIALS",
                detail: "The e-mail or the password is wrong.",
                hint: None,
            },
            // The same for an unknown token, a used one, and one whose session has ended.
            Self::InvalidRefreshToken => Kind {
                status: StatusCode::UNAUTHORIZED,
                code: "INVALID_REFRESH_TOKEN",
                detail: "The session has ended; log in again.",
                hint: None,
            },
            // The same for an unknown secret, a redeemed one, and one whose time has ended.
            Self::InvalidLink => Kind {
                status: StatusCode::BAD_REQUEST,
                code: "INVALID_LINK",
                detail: "This link was used already, or its time has ended.",
                hint: Some("Ask for a new mail."),
            },
            Self::OriginNotAllowed => Kind {
                status: StatusCode::FORBIDDEN,
                code: "ORIGIN_NOT_ALLOWED",
                detail: "Only the page of this system uses the cookie of a session.",
                hint: Some(
                    "Send the refresh token in the body instead, or set PUBLIC_URL to the address of the page.",
                ),
            },
            Self::RoleNotAllowed => Kind {
                status: StatusCode::FORBIDDEN,
                code: "ROLE_NOT_ALLOWED",
                detail: "This role cannot be chosen at registration.",
                hint: Some("Ask an administrator to register a user with this role."),
            },
            Self::EmailTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "EMAIL_TAKEN",
                detail: "email: A user with this e-mail exists already.",
                hint: Some("Log in, or use another e-mail."),
            },
            Self::IdTaken => Kind {
                status: StatusCode::CONFLICT,
                code: "ID_TAKEN",
                detail: "id: Another user has this id, or had it.",
                hint: Some("Draw another id."),
            },
            Self::LastAdmin => Kind {
                status: StatusCode::CONFLICT,
                code: "LAST_ADMIN",
                detail: "This is the last administrator who can log in.",
                hint: Some("Make another administrator first."),
            },
            Self::OwnRole => Kind {
                status: StatusCode::CONFLICT,
                code: "OWN_ROLE",
                detail: "An administrator cannot change the own role.",
                hint: Some("Ask another administrator."),
            },
            Self::TooManyAttempts => Kind {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "TOO_MANY_ATTEMPTS",
                detail: "Too many failed log-ins.",
                hint: None,
            },
            Self::TooManyRequests => Kind {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "TOO_MANY_REQUESTS",
                detail: "Too many requests came from this address.",
                hint: None,
            },
            Self::Busy => Kind {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "BUSY",
                detail: "Too many people are logging in at the moment.",
                hint: Some("Try again in a few seconds."),
            },
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::EmailTaken => Error::EmailTaken.into(),
            UserError::IdTaken => Error::IdTaken.into(),
            UserError::Gone => gone(),
            UserError::LastAdmin => Error::LastAdmin.into(),
            UserError::OwnRole => Error::OwnRole.into(),
            UserError::Database(error) | UserError::Enqueue(EnqueueError::Database(error)) => {
                error.into()
            }
            UserError::Enqueue(error) => Self::internal(error),
        }
    }
}

impl From<Busy> for Problem {
    fn from(_: Busy) -> Self {
        Self::from(Error::Busy).retry_after(2)
    }
}

pub(super) fn gone() -> Problem {
    Problem::not_found("This user does not exist any more.")
}

pub(super) fn unknown_user() -> Problem {
    Problem::not_found("There is no such user.")
}

pub(super) fn role_not_allowed(role: Role) -> Problem {
    Problem::from(Error::RoleNotAllowed)
        .detail(format!("The role {role} cannot be chosen at registration."))
}

pub(super) fn locked(seconds: u64) -> Problem {
    Problem::from(Error::TooManyAttempts)
        .detail(format!("Too many failed log-ins; wait {seconds} s."))
        .retry_after(seconds)
}

pub(super) fn too_many(seconds: u64) -> Problem {
    Problem::from(Error::TooManyRequests)
        .detail(format!(
            "Too many requests came from this address; wait {seconds} s."
        ))
        .retry_after(seconds)
}

/// Not 401: the token is good, and clients log the user out at any 401.
pub(super) fn wrong_password(field: &str) -> Problem {
    let message = "This is not the user's password.".to_owned();
    Problem::validation([(field.to_owned(), vec![message])].into())
}
