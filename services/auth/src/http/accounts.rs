//! Registration and log-in.

use super::{
    App,
    answers::{LoggedIn, busy, locked, role_not_allowed, user_problem, wrong_credentials},
    bodies::{LogIn, Registration},
};
use crate::{
    actions,
    domain::{Email, Locale, Password, PersonName, Phone, password::WeakPassword},
    store::{self, users::NewUser},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use chrono::Utc;
use events::Role;
use messaging::Cause;
use serde_json::{Value, json};
use service_kit::http::{ClientAddress, Fields, Problem, RequestId, detached};

/// Makes an account.
///
/// The answer logs the user in; profile and welcome follow by event.
#[utoipa::path(
    post,
    path = "/auth/api/v1/register",
    tag = "accounts",
    request_body = Registration,
    responses((status = CREATED, description = "The account, logged in.", body = LoggedIn))
)]
pub(super) async fn register(
    State(app): State<App>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    fields: Fields,
) -> Result<(StatusCode, Json<LoggedIn>), Problem> {
    let (password, mut new) = read_registration(fields)?;
    if !app.registration_roles.contains(&new.role) || new.role == Role::Admin {
        tracing::warn!(%request_id, role = %new.role, "Registration with a role that is not allowed was refused");
        return Err(role_not_allowed(new.role));
    }
    new.password_hash = app.hasher.hash(password).await.map_err(busy)?;
    let response = detached(async move {
        let now = Utc::now();
        let mut tx = app.outbox.begin().await?;
        let user = actions::users::register(&mut tx, &Cause::root(request_id), &new)
            .await
            .map_err(user_problem)?;
        let session =
            actions::sessions::open(&mut tx, user.user_id(), client_info(&headers), now).await?;
        let response = LoggedIn::new(&app.signer, user, session, now)?;
        tx.commit().await?;
        Ok(response)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(response)))
}

fn read_registration(mut fields: Fields) -> Result<(Password, NewUser), Problem> {
    let email = fields.required("email", Email::parse);
    let first_name = fields
        .optional("first_name", PersonName::parse)
        .unwrap_or_default();
    let last_name = fields
        .optional("last_name", PersonName::parse)
        .unwrap_or_default();
    let local_part = email.as_ref().map_or("", Email::local_part);
    let context = [local_part, first_name.as_str(), last_name.as_str()];
    let password = fields.required("password", |text| Password::chosen(text, &context));
    let phone = fields.optional("phone", Phone::parse).flatten();
    let locale = fields.optional("locale", Locale::parse).unwrap_or_default();
    let role = fields.optional("role", |text| {
        text.parse::<Role>()
            .map_err(|_| "Unknown role; use one of: student, encadrant.")
    });
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::internal(
            "a required field was neither read nor refused",
        ));
    };
    let role = role.unwrap_or(Role::Student);
    let password_hash = String::new();
    Ok((
        password,
        NewUser {
            email,
            password_hash,
            first_name,
            last_name,
            phone,
            role,
            locale,
        },
    ))
}

/// Logs a user in.
#[utoipa::path(
    post,
    path = "/auth/api/v1/login",
    tag = "accounts",
    request_body = LogIn,
    responses((status = OK, description = "The account, logged in.", body = LoggedIn))
)]
pub(super) async fn login(
    State(app): State<App>,
    ClientAddress(client): ClientAddress,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Json<LoggedIn>, Problem> {
    let email = fields.required("email", |text| Ok::<_, WeakPassword>(text.to_owned()));
    let password = fields.required("password", Password::claimed);
    fields.finish()?;
    let (Some(email), Some(password)) = (email, password) else {
        return Err(Problem::internal(
            "a required field was neither read nor refused",
        ));
    };
    let attempt = actions::sessions::attempt(&email, client);
    let mut connection = app.pool.acquire().await?;
    if let Some(seconds) = store::logins::locked_for(&mut connection, &attempt).await? {
        return Err(locked(seconds));
    }
    // What is no address belongs to nobody; it takes as long to say so.
    let known = match Email::parse(&email) {
        Ok(email) => store::users::by_email(&mut connection, &email).await?,
        Err(_) => None,
    };
    drop(connection);
    let hash = known.as_ref().map(|(_, hash)| hash.clone());
    let matches = app.hasher.verify(password, hash).await.map_err(busy)?;
    let user = known
        .map(|(user, _)| user)
        .filter(|user| matches && user.is_active);
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let Some(user) = user else {
            store::logins::failed(&mut tx, &attempt).await?;
            tx.commit().await?;
            return Err(wrong_credentials());
        };
        let now = Utc::now();
        store::logins::succeeded(&mut tx, &attempt).await?;
        let session =
            actions::sessions::open(&mut tx, user.user_id(), client_info(&headers), now).await?;
        let response = LoggedIn::new(&app.signer, user, session, now)?;
        tx.commit().await?;
        Ok(Json(response))
    })
    .await
}

fn client_info(headers: &HeaderMap) -> Value {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    json!({"user_agent": agent.chars().take(256).collect::<String>()})
}
