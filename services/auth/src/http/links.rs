//! What the links in mails do, and the mails that a person asks for.
//!
//! A link leads to a page, which sends the secret by one of these requests: to open a link changes nothing, so a scanner
//! of links in a mail server does no harm.

use super::{
    App, RequestCause,
    client::Client,
    creation::unknown_password,
    errors::{Error, gone},
    fields::ProposedPassword,
    password_check::limit_address,
    passwords::{judge, refused},
};
use crate::{
    actions::links::{self, Redeemer},
    domain::{Email, LinkSecret},
    store::{self, users::User},
    throttle::FORGOTTEN_PASSWORDS,
};
use axum::{extract::State, http::StatusCode};
use mail::{Content, Purpose};
use service_kit::{
    body,
    http::{Body, Common, CurrentUser, Problem, detached, docs::problems},
};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The answer to a forgotten password takes so long, whether a user has the address or not: a mail that is written takes
/// a millisecond more.
const SAME_TIME: Duration = Duration::from_millis(50);

body! {
    /// The secret of a link in a mail: what stands behind `#/verify/` or `#/restore/`.
    pub(super) struct LinkToken {
        token: String = "Pzl2k4wYV1m0hQ7cT9sXeRbN8uJdA5gF3oLyC6iKvMt",
    }
}

body! {
    /// Who forgot the password.
    pub(super) struct ForgottenPassword {
        email: Email = "test.student@example.com",
    }
}

body! {
    /// The secret of a link in a mail, what stands behind `#/reset/`, and the password to have.
    pub(super) struct PasswordReset {
        token: String = "Pzl2k4wYV1m0hQ7cT9sXeRbN8uJdA5gF3oLyC6iKvMt",
        /// None that is easily guessed.
        new_password: ProposedPassword = "another long password of mine",
    }
}

/// Shows that the e-mail is the own, by the link of a mail.
#[utoipa::path(
    post,
    path = "/auth/api/v1/email/verify",
    tag = "links",
    request_body = LinkToken,
    responses((status = NO_CONTENT, description = "The e-mail is verified.")),
    extensions(("x-problems" = json!(problems(&[&Error::InvalidLink]))))
)]
pub(super) async fn verify_email(
    client: Client,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(body): Body<LinkToken>,
) -> Result<StatusCode, Problem> {
    let secret = LinkSecret::parse(&body.token).ok_or(Error::InvalidLink)?;
    let detail = client.detail();
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        if !links::verify_email(&mut tx, &Redeemer { cause, detail }, &secret).await? {
            return Err(Error::InvalidLink.into());
        }
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Sends the mail again that verifies the e-mail of the user.
///
/// An account gets three such mails an hour, and ten mails a day in all; the answer is the same when none is sent.
#[utoipa::path(
    post,
    path = "/auth/api/v1/email/verification",
    tag = "links",
    security(("access_token" = [])),
    responses((status = NO_CONTENT, description = "A mail is under way, or the e-mail is verified.")),
    extensions(("x-problems" = json!(problems(&[&Common::NotFound]))))
)]
pub(super) async fn send_verification(
    user: CurrentUser,
    State(app): State<App>,
) -> Result<StatusCode, Problem> {
    detached(async move {
        let mut tx = app.pool.begin().await?;
        let user = store::users::by_id(&mut tx, user.id).await?;
        let user = user.ok_or_else(gone)?;
        if !user.email_verified {
            app.mails
                .send(&mut tx, &user, Content::Verification)
                .await?;
        }
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Makes the e-mail of before a change the present one again, by the link of the mail that told of the change.
///
/// All sessions end, the password is valid no more, and a mail lets the user set another one.
#[utoipa::path(
    post,
    path = "/auth/api/v1/email/restore",
    tag = "links",
    request_body = LinkToken,
    responses((status = NO_CONTENT, description = "The change is taken back.")),
    extensions(("x-problems" = json!(problems(&[&Error::InvalidLink, &Error::EmailTaken, &Error::Busy]))))
)]
pub(super) async fn restore_email(
    client: Client,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(body): Body<LinkToken>,
) -> Result<StatusCode, Problem> {
    let secret = LinkSecret::parse(&body.token).ok_or(Error::InvalidLink)?;
    user_of(&app, Purpose::RestoreEmail, &secret).await?;
    let hash = app.hasher.hash(unknown_password()).await?;
    let detail = client.detail();
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let by = Redeemer { cause, detail };
        if !links::restore_email(&mut tx, &app.mails, &by, &secret, &hash).await? {
            return Err(Error::InvalidLink.into());
        }
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Sends a mail that lets a user who forgot the password set another one.
///
/// The answer is the same, after the same time, whether a user has the address or not, and when an account has had its
/// mails: three an hour, and ten a day in all.
#[utoipa::path(
    post,
    path = "/auth/api/v1/password/forgot",
    tag = "links",
    request_body = ForgottenPassword,
    responses((status = NO_CONTENT, description = "If a user has this address, a mail is under way.")),
    extensions(("x-problems" = json!(problems(&[&Error::TooManyRequests]))))
)]
pub(super) async fn forgot_password(
    client: Client,
    State(app): State<App>,
    Body(body): Body<ForgottenPassword>,
) -> Result<StatusCode, Problem> {
    limit_address(&app, client.address, FORGOTTEN_PASSWORDS).await?;
    let answer_at = Instant::now() + SAME_TIME;
    detached(async move {
        let mut tx = app.pool.begin().await?;
        let existing = store::users::by_email(&mut tx, &body.email).await?;
        let user = existing
            .map(|login| login.user)
            .filter(|user| user.is_active);
        let content = Content::PasswordReset;
        match user {
            Some(user) => app.mails.send(&mut tx, &user, content).await?,
            None => {
                app.mails
                    .count(&mut tx, body.email.as_str(), &content)
                    .await?;
            }
        }
        Ok::<(), Problem>(tx.commit().await?)
    })
    .await?;
    sleep_until(answer_at).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a password, by the link of a mail.
///
/// All sessions of the user end. The e-mail is verified, because its owner has the link.
#[utoipa::path(
    post,
    path = "/auth/api/v1/password/reset",
    tag = "links",
    request_body = PasswordReset,
    responses((status = NO_CONTENT, description = "The user can log in with the new password.")),
    extensions(("x-problems" = json!(problems(&[&Error::InvalidLink, &Error::Busy]))))
)]
pub(super) async fn reset_password(
    client: Client,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    Body(body): Body<PasswordReset>,
) -> Result<StatusCode, Problem> {
    let secret = LinkSecret::parse(&body.token).ok_or(Error::InvalidLink)?;
    let user = user_of(&app, Purpose::ResetPassword, &secret).await?;
    let proposed = body.new_password.0;
    let hash = app
        .hasher
        .in_turn(move |argon| judge(argon, proposed, &user))
        .await?
        .map_err(refused)?;
    let detail = client.detail();
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let by = Redeemer { cause, detail };
        let user = links::reset_password(&mut tx, &by, &secret, &hash).await?;
        let user = user.ok_or(Error::InvalidLink)?;
        app.mails.password_changed(&mut tx, &user).await?;
        app.throttle.forget(&mut tx, &user.email).await?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The user of a secret: a password is judged and hashed only for somebody who has a link.
async fn user_of(app: &App, purpose: Purpose, secret: &LinkSecret) -> Result<User, Problem> {
    let mut connection = app.pool.acquire().await?;
    let user = links::user_of(&mut connection, purpose, secret).await?;
    user.ok_or_else(|| Error::InvalidLink.into())
}
