//! The change of a password.

use super::{
    App, RequestCause,
    client::Client,
    errors::{Error, gone},
    fields::{ClaimedPassword, ProposedPassword},
    password_check::check_password,
    sessions::{Answer, LoggedIn},
};
use crate::{
    actions,
    domain::{Password, password::WeakPassword},
    passwords::Argon,
    store::{self, audit::Actor, users::User},
};
use axum::{
    extract::{FromRequestParts, State},
    http::HeaderMap,
};
use service_kit::{
    body,
    http::{Body, Common, CurrentUser, Problem, detached, docs::problems},
};

body! {
    /// The password that the user has, and the one to have.
    pub(super) struct PasswordChange {
        current_password: ClaimedPassword = "SecurePass123!",
        /// None that is easily guessed.
        new_password: ProposedPassword = "another long password of mine",
    }
}

body! {
    /// The password that the user has, and the one to have, as the old services name them.
    pub(super) struct OldPasswordChange {
        old_password: ClaimedPassword = "SecurePass123!",
        /// None that is easily guessed.
        new_password: ProposedPassword = "another long password of mine",
    }
}

/// The request that changes a password, whichever its spelling is.
#[derive(FromRequestParts)]
#[from_request(state(App))]
pub(super) struct Request {
    #[from_request(via(State))]
    app: App,
    user: CurrentUser,
    client: Client,
    headers: HeaderMap,
    cause: RequestCause,
}

/// Changes the password.
///
/// All sessions of the user end; the response opens a new one.
#[utoipa::path(
    post,
    path = "/auth/api/v1/users/me/change-password",
    tag = "users/me",
    security(("access_token" = [])),
    request_body = PasswordChange,
    responses((status = OK, description = "The user, logged in anew.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound, &Error::TooManyAttempts, &Error::Busy]))))
)]
pub(super) async fn change(
    request: Request,
    Body(body): Body<PasswordChange>,
) -> Result<Answer, Problem> {
    let current = ("current_password", body.current_password);
    apply(request, current, body.new_password).await
}

/// Changes the password, with the field names of the old services.
///
/// All sessions of the user end; the response opens a new one.
#[utoipa::path(
    patch,
    path = "/auth/api/v1/users/me/password",
    tag = "users/me",
    security(("access_token" = [])),
    request_body = OldPasswordChange,
    responses((status = OK, description = "The user, logged in anew.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound, &Error::TooManyAttempts, &Error::Busy]))))
)]
pub(super) async fn change_old_spelling(
    request: Request,
    Body(body): Body<OldPasswordChange>,
) -> Result<Answer, Problem> {
    let current = ("old_password", body.old_password);
    apply(request, current, body.new_password).await
}

async fn apply(
    request: Request,
    (field, password): (&'static str, ClaimedPassword),
    proposed: ProposedPassword,
) -> Result<Answer, Problem> {
    let Request {
        app,
        user,
        client,
        headers,
        cause: RequestCause(cause),
    } = request;
    let in_cookies = app.cookies.is_from_page(&headers);
    check_password(&app, &user, &client, password, field).await?;
    let current = store::users::by_id(&mut *app.pool.acquire().await?, user.id).await?;
    let current = current.ok_or_else(gone)?;
    let hash = app
        .hasher
        .in_turn(move |argon| judge(argon, proposed.0, &current))
        .await?
        .map_err(refused)?;
    let by = Actor::user(user.id, client.detail());
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let changed = actions::users::change_password(&mut tx, &cause, &by, user.id, &hash);
        let changed = changed.await?;
        app.mails.password_changed(&mut tx, &changed).await?;
        let is_remembered = store::sessions::is_remembered(&mut tx, user.session_id).await?;
        let opened = actions::sessions::open(&mut tx, user.id, client.info, is_remembered).await?;
        let response = LoggedIn::new(&app.signer, changed, &opened)?;
        tx.commit().await?;
        Ok(response.answer(in_cookies.then_some(&app.cookies), &opened))
    })
    .await
}

/// Judges a password, which takes as long as to hash it, and hashes it.
pub(super) fn judge(
    argon: &Argon,
    proposed: Password,
    user: &User,
) -> Result<String, WeakPassword> {
    let local_part = user.email.split('@').next().unwrap_or_default();
    let context = [local_part, &user.first_name, &user.last_name];
    Ok(argon.hash(&proposed.judged(&context)?))
}

pub(super) fn refused(weak: WeakPassword) -> Problem {
    Problem::validation([("new_password".to_owned(), vec![weak.to_string()])].into())
}
