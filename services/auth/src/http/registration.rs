//! Registration.

use super::{
    App, RequestCause,
    errors::{Error, role_not_allowed},
    fields::{NewPassword, OptionalPhone, RoleName},
    sessions::{LoggedIn, client_info},
};
use crate::{
    actions,
    domain::{Email, Locale, PersonName},
    store::users::NewUser,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::Utc;
use events::Role;
use service_kit::{
    body,
    http::{Body, Problem, detached, docs::problems},
};

body! {
    /// A new user.
    pub(super) struct Registration {
        /// To log in with; kept in lower case.
        email: Email = "test.student@example.com",
        /// None that is easily guessed.
        password: NewPassword = "SecurePass123!",
        first_name: Option<PersonName> = "John",
        last_name: Option<PersonName> = "Doe",
        phone: Option<OptionalPhone> = "+33123456789",
        /// `student` or `encadrant`; `student` when absent.
        role: Option<RoleName> = "student",
        /// Language of texts for this user.
        locale: Option<Locale> = "fr",
    }
}

/// Registers a user and logs the user in.
///
/// The answer logs the user in; profile and welcome follow by event.
#[utoipa::path(
    post,
    path = "/auth/api/v1/register",
    tag = "users",
    request_body = Registration,
    responses((status = CREATED, description = "The user, logged in.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[
        &Error::RoleNotAllowed,
        &Error::EmailTaken,
        &Error::Busy,
    ]))))
)]
pub(super) async fn register(
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    headers: HeaderMap,
    Body(registration): Body<Registration>,
) -> Result<(StatusCode, Json<LoggedIn>), Problem> {
    let role = registration.role.map_or(Role::Student, |role| role.0);
    if !app.registration_roles.contains(&role) || role == Role::Admin {
        tracing::warn!(%role, "Registration with a role that is not allowed was refused");
        return Err(role_not_allowed(role));
    }
    let new = NewUser {
        email: registration.email,
        password_hash: app.hasher.hash(registration.password.0).await?,
        first_name: registration.first_name.unwrap_or_default(),
        last_name: registration.last_name.unwrap_or_default(),
        phone: registration.phone.and_then(|phone| phone.0),
        role,
        locale: registration.locale.unwrap_or_default(),
    };
    let response = detached(async move {
        let now = Utc::now();
        let mut tx = app.outbox.begin().await?;
        let user = actions::users::register(&mut tx, &cause, &new).await?;
        let session =
            actions::sessions::open(&mut tx, user.user_id(), client_info(&headers), now).await?;
        let response = LoggedIn::new(&app.signer, user, session, now)?;
        tx.commit().await?;
        Ok(response)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(response)))
}
