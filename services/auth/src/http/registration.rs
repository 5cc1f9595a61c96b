//! Registration.

use super::{
    App, RequestCause,
    client::Client,
    cookie::InCookie,
    errors::{Error, role_not_allowed},
    fields::{NewPassword, OptionalPhone, RoleName},
    password_check::{limit_address, may_log_in},
    repeat::{created_before, request_key},
    sessions::{Answer, LoggedIn},
};
use crate::{
    actions,
    domain::{Email, Locale, Password, PersonName},
    passwords::Argon,
    store::users::NewUser,
    throttle::REGISTRATIONS,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use events::{Role, UserId};
use mail::Content;
use service_kit::{
    body,
    http::{
        Common, IdempotencyKey, Problem,
        body::{Object, Patch},
        detached,
        docs::problems,
    },
};
use std::sync::Arc;

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
        /// What the user is; `student` when absent.
        role: Option<RoleName> = "student",
        /// Language of texts for this user.
        locale: Option<Locale> = "fr",
        /// `cookie` puts the tokens of the session and of the device into cookies; for the page of this system only.
        session: Option<InCookie> = "cookie",
        /// Whether the browser keeps the cookie when it ends.
        remember: Patch<bool> = true,
    }
}

/// What a registration asks for.
struct Asked {
    new: NewUser,
    password: Password,
    session: Option<InCookie>,
    is_remembered: bool,
}

/// Registers a user and logs the user in.
///
/// The answer logs the user in; profile and welcome follow by event. From one address, 20 requests a minute are accepted.
#[utoipa::path(
    post,
    path = "/auth/api/v1/register",
    tag = "users",
    params(IdempotencyKey),
    request_body = Registration,
    responses((status = CREATED, description = "The user, logged in.", body = LoggedIn)),
    extensions(("x-problems" = json!(problems(&[
        &Error::InvalidCredentials,
        &Common::NotFound,
        &Error::RoleNotAllowed,
        &Error::OriginNotAllowed,
        &Error::EmailTaken,
        &Error::TooManyRequests,
        &Error::Busy,
    ]))))
)]
pub(super) async fn register(
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    (client, headers): (Client, HeaderMap),
    key: IdempotencyKey,
    body: Object,
) -> Result<(StatusCode, Answer), Problem> {
    limit_address(&app, client.address, REGISTRATIONS).await?;
    let key = request_key(key, "register", &body);
    let allowed = Arc::clone(&app.registration_roles);
    // To judge a password takes as long as to hash it, and anybody may send one.
    let asked = app
        .hasher
        .in_turn(move |argon| read(body.into_body()?, &allowed, argon))
        .await??;
    let in_cookies = app.cookies.are_wanted(asked.session, &headers)?;
    let answer = detached(async move {
        let mut tx = app.outbox.begin().await?;
        let id = UserId::new();
        let user = match created_before(&mut tx, key.as_ref(), id).await? {
            Some(user) => {
                // A repeat must not open a session after the password was changed or the user disabled.
                let id = user.user_id();
                if !may_log_in(&app, &mut tx, id, asked.password, None).await? {
                    return Err(Error::InvalidCredentials.into());
                }
                user
            }
            None => {
                let detail = client.detail();
                let new = &asked.new;
                let user = actions::users::register(&mut tx, &cause, detail, id, new).await?;
                app.mails
                    .send(&mut tx, &user, Content::Verification)
                    .await?;
                user
            }
        };
        let (id, is_remembered) = (user.user_id(), asked.is_remembered);
        let session = actions::sessions::open(&mut tx, id, client.info, is_remembered).await?;
        let device = app.cookies.device(&headers).filter(|_| in_cookies);
        let response = LoggedIn::new(&app.signer, user, &session)?.on_device(&app.throttle, device);
        tx.commit().await?;
        Ok(response.answer(in_cookies.then_some(&app.cookies), &session))
    })
    .await?;
    Ok((StatusCode::CREATED, answer))
}

fn read(registration: Registration, allowed: &[Role], argon: &Argon) -> Result<Asked, Problem> {
    let role = registration.role.map_or(Role::Student, |role| role.0);
    if !allowed.contains(&role) || role == Role::Admin {
        tracing::warn!(%role, "Registration with a role that is not allowed was refused");
        return Err(role_not_allowed(role));
    }
    let password = registration.password.0;
    let new = NewUser {
        email: registration.email,
        password_hash: argon.hash(&password),
        first_name: registration.first_name.unwrap_or_default(),
        last_name: registration.last_name.unwrap_or_default(),
        phone: registration.phone.and_then(|phone| phone.0),
        role,
        locale: registration.locale.unwrap_or_default(),
        email_verified: false,
    };
    Ok(Asked {
        new,
        password,
        session: registration.session,
        is_remembered: registration.remember.0.unwrap_or_default(),
    })
}
