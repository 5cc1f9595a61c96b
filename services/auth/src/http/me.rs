//! One's own account.

use super::{
    App,
    answers::{busy, gone, locked, user_problem, wrong_password},
    bodies::{AccountChange, Confirmation, EmailChange},
};
use crate::{
    actions::{self, users::Change},
    domain::{Email, Locale, Password, PersonName, Phone},
    store::{self, users::User},
};
use axum::{Json, extract::State, http::StatusCode};
use messaging::Cause;
use service_kit::http::{ClientAddress, CurrentUser, Fields, Problem, RequestId, detached};

/// One's own account.
#[utoipa::path(
    get,
    path = "/auth/api/v1/users/me",
    tag = "own account",
    security(("access_token" = [])),
    responses((status = OK, description = "The account.", body = User))
)]
pub(super) async fn show(user: CurrentUser, State(app): State<App>) -> Result<Json<User>, Problem> {
    let mut connection = app.pool.acquire().await?;
    store::users::by_id(&mut connection, user.id)
        .await?
        .map(Json)
        .ok_or_else(gone)
}

/// Changes what is given.
///
/// Profile and others follow by event.
#[utoipa::path(
    patch,
    path = "/auth/api/v1/users/me",
    tag = "own account",
    security(("access_token" = [])),
    request_body = AccountChange,
    responses((status = OK, description = "The account, as it is now.", body = User))
)]
pub(super) async fn change(
    user: CurrentUser,
    State(app): State<App>,
    RequestId(request_id): RequestId,
    mut fields: Fields,
) -> Result<Json<User>, Problem> {
    let change = Change {
        email: None,
        first_name: fields.change("first_name", PersonName::parse),
        last_name: fields.change("last_name", PersonName::parse),
        phone: fields.change("phone", Phone::parse),
        locale: fields.change("locale", Locale::parse),
    };
    fields.finish()?;
    apply(app, user, Cause::root(request_id), change).await
}

/// Changes the address to log in with.
///
/// The password says that it is the user.
#[utoipa::path(
    post,
    path = "/auth/api/v1/users/me/email",
    tag = "own account",
    security(("access_token" = [])),
    request_body = EmailChange,
    responses((status = OK, description = "The account, as it is now.", body = User))
)]
pub(super) async fn change_email(
    user: CurrentUser,
    client: ClientAddress,
    State(app): State<App>,
    RequestId(request_id): RequestId,
    mut fields: Fields,
) -> Result<Json<User>, Problem> {
    let email = fields.required("email", Email::parse);
    let password = fields.required("current_password", Password::claimed);
    fields.finish()?;
    check_password(&app, &user, client, password).await?;
    apply(
        app,
        user,
        Cause::root(request_id),
        Change {
            email,
            ..Change::default()
        },
    )
    .await
}

/// Deletes the account.
///
/// The password says that it is the user. The other services erase what they keep by event.
#[utoipa::path(
    delete,
    path = "/auth/api/v1/users/me",
    tag = "own account",
    security(("access_token" = [])),
    request_body = Confirmation,
    responses((status = NO_CONTENT, description = "It is gone."))
)]
pub(super) async fn delete(
    user: CurrentUser,
    client: ClientAddress,
    State(app): State<App>,
    RequestId(request_id): RequestId,
    mut fields: Fields,
) -> Result<StatusCode, Problem> {
    let password = fields.required("current_password", Password::claimed);
    fields.finish()?;
    check_password(&app, &user, client, password).await?;
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        actions::users::delete(&mut tx, &Cause::root(request_id), user.id)
            .await
            .map_err(user_problem)?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

async fn apply(
    app: App,
    user: CurrentUser,
    cause: Cause,
    change: Change,
) -> Result<Json<User>, Problem> {
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let user = actions::users::update(&mut tx, &cause, user.id, change)
            .await
            .map_err(user_problem)?;
        tx.commit().await?;
        Ok(Json(user))
    })
    .await
}

/// Throttled like a log-in: whoever has found a token must not find the password with it.
async fn check_password(
    app: &App,
    user: &CurrentUser,
    ClientAddress(client): ClientAddress,
    password: Option<Password>,
) -> Result<(), Problem> {
    let password = password
        .ok_or_else(|| Problem::internal("a required field was neither read nor refused"))?;
    let mut connection = app.pool.acquire().await?;
    let (email, hash) = store::users::password_of(&mut connection, user.id)
        .await?
        .ok_or_else(gone)?;
    let attempt = actions::sessions::attempt(&email, client);
    if let Some(seconds) = store::logins::locked_for(&mut connection, &attempt).await? {
        return Err(locked(seconds));
    }
    drop(connection);
    if app
        .hasher
        .verify(password, Some(hash))
        .await
        .map_err(busy)?
    {
        return Ok(());
    }
    let pool = app.pool.clone();
    detached(async move {
        store::logins::failed(&mut *pool.acquire().await?, &attempt).await?;
        Err(wrong_password("current_password"))
    })
    .await
}
