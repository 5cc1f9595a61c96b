//! What is answered, and how this service's errors meet status codes.

use crate::{
    actions::{sessions::Opened, users::UserError},
    passwords::Busy,
    store::users::User,
    tokens::{self, Signer},
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use events::Role;
use serde::Serialize;
use service_kit::http::Problem;
use utoipa::ToSchema;

/// The answer to a registration and to a log-in.
#[derive(Serialize, ToSchema)]
pub(super) struct LoggedIn {
    /// A JWT, to be sent as a bearer token.
    access_token: String,
    /// Opaque.
    refresh_token: String,
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    /// Life of the access token, in seconds.
    expires_in: i64,
    user: User,
}

impl LoggedIn {
    pub(super) fn new(
        signer: &Signer,
        user: User,
        session: Opened,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let access_token = signer
            .sign(&user, session.id, now)
            .map_err(Problem::internal)?;
        let refresh_token = session.refresh_token;
        Ok(Self {
            access_token,
            refresh_token,
            token_type: "Bearer",
            expires_in: tokens::ACCESS_TOKEN_TTL,
            user,
        })
    }
}

pub(super) fn user_problem(error: UserError) -> Problem {
    match error {
        UserError::EmailTaken => Problem::new(
            StatusCode::CONFLICT,
            "EMAIL_TAKEN",
            "email: There is an account with this e-mail already.",
        )
        .hint("Log in, or use another e-mail."),
        UserError::Gone => gone(),
        UserError::Database(error) => error.into(),
        UserError::Enqueue(error) => Problem::internal(error),
    }
}

pub(super) fn gone() -> Problem {
    Problem::not_found("This account does not exist any more.")
}

/// Not 401: the token is good, and clients log the user out at any 401.
pub(super) fn wrong_password(field: &str) -> Problem {
    Problem::validation(
        [(
            field.to_owned(),
            vec!["This is not the account's password.".to_owned()],
        )]
        .into(),
    )
}

pub(super) fn busy(_: Busy) -> Problem {
    Problem::unavailable("BUSY", "Too many people are logging in at the moment.", 2)
        .hint("Try again in a few seconds.")
}

pub(super) fn role_not_allowed(role: Role) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "ROLE_NOT_ALLOWED",
        format!("The role {role} cannot be chosen at registration."),
    )
    .hint("Ask an administrator for an account with this role.")
}

/// The same for an unknown address, a disabled account and a wrong password.
pub(super) fn wrong_credentials() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "INVALID_CREDENTIALS",
        "The e-mail or the password is wrong.",
    )
}

pub(super) fn locked(seconds: u64) -> Problem {
    let detail = format!("Too many failed log-ins; wait {seconds} s.");
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_ATTEMPTS", detail).retry_after(seconds)
}
