//! The requests of a user about the own data.

use super::{
    App, RequestCause,
    client::Client,
    cookie::Ended,
    errors::{Error, gone},
    fields::{ClaimedPassword, OptionalPhone},
    password_check::{Confirmation, check_confirmation, check_password},
};
use crate::{
    actions::{self, users::Change},
    domain::{Email, Locale, PersonName},
    store::{self, audit::Actor},
};
use axum::{Json, extract::State, http::HeaderMap};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_kit::{
    body,
    http::{
        Body, Common, CurrentUser, Problem,
        auth::role_schema,
        body::{Patch, Text},
        detached,
        docs::problems,
    },
};
use utoipa::{ToSchema, openapi::Object as Schema};
use uuid::Uuid;

/// A user, as the user sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct User {
    /// The id of the user.
    id: Uuid,
    /// In lower case.
    #[schema(examples("test.student@example.com"))]
    pub(super) email: String,
    /// Empty when not given.
    #[schema(examples("John"))]
    first_name: String,
    /// Empty when not given.
    #[schema(examples("Doe"))]
    last_name: String,
    /// As the user wrote it.
    #[schema(examples("+33123456789"))]
    phone: Option<String>,
    /// What the user is.
    #[schema(schema_with = role_schema)]
    role: String,
    /// False: cannot log in.
    is_active: bool,
    /// Language of texts for this user.
    #[schema(schema_with = locale_schema)]
    locale: String,
    /// Whether the user has shown that the e-mail is the own.
    email_verified: bool,
    /// The profile at profile-service, once it is known.
    profile_id: Option<Uuid>,
    /// When the user registered.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

impl From<store::users::User> for User {
    fn from(user: store::users::User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            phone: user.phone,
            role: user.role,
            is_active: user.is_active,
            locale: user.locale,
            email_verified: user.email_verified,
            profile_id: user.profile_id,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

fn locale_schema() -> Schema {
    let locales = <Locale as Text>::schema();
    let about = "Language of texts for this user.";
    locales.description(Some(about)).build()
}

body! {
    /// A field that is absent keeps its value; `null` clears it.
    pub(super) struct UserChange {
        first_name: Patch<PersonName> = "Johnny",
        last_name: Patch<PersonName> = "Doe",
        phone: Patch<OptionalPhone> = "+33123456780",
        /// Language of texts for this user; there is always one.
        locale: Patch<Locale> = "en",
    }
}

body! {
    /// A new address to log in with.
    pub(super) struct EmailChange {
        email: Email = "john.doe@example.com",
        /// The password that the user has now.
        current_password: ClaimedPassword = "SecurePass123!",
    }
}

/// Returns the user of the token.
#[utoipa::path(
    get,
    path = "/auth/api/v1/users/me",
    tag = "users/me",
    security(("access_token" = [])),
    responses((status = OK, description = "The user.", body = User)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound]))))
)]
pub(super) async fn show(user: CurrentUser, State(app): State<App>) -> Result<Json<User>, Problem> {
    let mut connection = app.pool.acquire().await?;
    store::users::by_id(&mut connection, user.id)
        .await?
        .map(|user| Json(user.into()))
        .ok_or_else(gone)
}

/// Changes the fields that the body names.
///
/// profile-service takes the change over from an event, a moment later.
#[utoipa::path(
    patch,
    path = "/auth/api/v1/users/me",
    tag = "users/me",
    security(("access_token" = [])),
    request_body = UserChange,
    responses((status = OK, description = "The user after the change.", body = User)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound]))))
)]
pub(super) async fn change(
    user: CurrentUser,
    client: Client,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(change): Body<UserChange>,
) -> Result<Json<User>, Problem> {
    let change = Change {
        first_name: change.first_name.0,
        last_name: change.last_name.0,
        phone: change.phone.0.map(|phone| phone.0),
        locale: change.locale.0,
        ..Change::default()
    };
    let by = Actor::user(user.id, client.detail());
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let user = actions::users::update(&mut tx, &cause, &by, user.id, change).await?;
        tx.commit().await?;
        Ok(Json(user.into()))
    })
    .await
}

/// Changes the address to log in with.
///
/// The password says that it is the user. All other sessions of the user end.
#[utoipa::path(
    post,
    path = "/auth/api/v1/users/me/email",
    tag = "users/me",
    security(("access_token" = [])),
    request_body = EmailChange,
    responses((status = OK, description = "The user after the change.", body = User)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound, &Error::EmailTaken, &Error::TooManyAttempts, &Error::Busy]))))
)]
pub(super) async fn change_email(
    user: CurrentUser,
    client: Client,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(change): Body<EmailChange>,
) -> Result<Json<User>, Problem> {
    let password = change.current_password;
    check_password(&app, &user, &client, password, "current_password").await?;
    let by = Actor::user(user.id, client.detail());
    let change = Change {
        email: Some(change.email),
        ..Change::default()
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let before = store::users::lock(&mut tx, user.id)
            .await?
            .ok_or_else(gone)?;
        let changed = actions::users::update(&mut tx, &cause, &by, user.id, change).await?;
        let (id, kept) = (user.id, user.session_id);
        actions::sessions::revoke_others(&mut tx, &cause, id, kept).await?;
        app.mails.email_changed(&mut tx, &before, &changed).await?;
        tx.commit().await?;
        Ok(Json(changed.into()))
    })
    .await
}

/// Deletes the user.
///
/// The password says that it is the user. The other services erase what they keep by event.
#[utoipa::path(
    delete,
    path = "/auth/api/v1/users/me",
    tag = "users/me",
    security(("access_token" = [])),
    request_body = Confirmation,
    responses((status = NO_CONTENT, description = "It is gone.")),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound, &Error::LastAdmin, &Error::TooManyAttempts, &Error::Busy]))))
)]
pub(super) async fn delete(
    user: CurrentUser,
    (client, headers): (Client, HeaderMap),
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(body): Body<Confirmation>,
) -> Result<Ended, Problem> {
    let ended = app.cookies.end(&headers);
    check_confirmation(&app, &user, &client, body).await?;
    let by = Actor::user(user.id, client.detail());
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let email = actions::users::delete(&mut tx, &cause, &by, user.id).await?;
        app.throttle.forget(&mut tx, &email).await?;
        tx.commit().await?;
        Ok(ended)
    })
    .await
}
