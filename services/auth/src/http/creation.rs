//! The creation of a user by somebody else.

use super::{
    App, RequestCause,
    client::Client,
    errors::Error,
    fields::{AnyRole, OptionalPassword, OptionalPhone},
    repeat::{created_before, request_key},
    users::User,
};
use crate::{
    actions,
    domain::{Email, Locale, Password, PersonName},
    passwords::Argon,
    store::{audit::Actor, users::NewUser},
};
use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::{Role, UserId};
use mail::Content;
use rand::RngExt as _;
use service_kit::{
    body,
    http::{Common, CurrentUser, IdempotencyKey, Problem, body::Object, detached, docs::problems},
};
use uuid::Uuid;

body! {
    /// A user to be created.
    pub(super) struct NewAccount {
        /// The id of the user. Draw one (UUIDv7) and send it with each repeat of the request: then a repeat is answered as
        /// the first time.
        id: Option<Uuid> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// To log in with; kept in lower case.
        email: Email = "test.student@example.com",
        /// None that is easily guessed. Without one, the user cannot log in before having set one by mail.
        password: OptionalPassword = "SecurePass123!",
        first_name: Option<PersonName> = "John",
        last_name: Option<PersonName> = "Doe",
        phone: Option<OptionalPhone> = "+33123456789",
        /// What the user is; `student` when absent. An encadrant may create students only.
        role: Option<AnyRole> = "student",
        /// Language of texts for this user.
        locale: Option<Locale> = "fr",
    }
}

/// Creates a user, for administrators and, where the user is a student, for encadrants.
///
/// The answer does not log the user in. Profile and welcome follow by event.
#[utoipa::path(
    post,
    path = "/auth/api/v1/users",
    tag = "users",
    security(("access_token" = [])),
    params(IdempotencyKey),
    request_body = NewAccount,
    responses((status = CREATED, description = "The user.", body = User)),
    extensions(("x-problems" = json!(problems(&[
        &Common::Forbidden,
        &Common::NotFound,
        &Error::RoleNotAllowed,
        &Error::EmailTaken,
        &Error::IdTaken,
        &Error::Busy,
    ]))))
)]
pub(super) async fn create(
    user: CurrentUser,
    State(app): State<App>,
    RequestCause(cause): RequestCause,
    (client, key): (Client, IdempotencyKey),
    body: Object,
) -> Result<(StatusCode, Json<User>), Problem> {
    let by = Actor::user(user.id, client.detail());
    if user.role == Role::Student {
        user.require(Role::Admin)?;
    }
    let key = request_key(key, &format!("{} users", user.id), &body);
    // To judge a password takes as long as to hash it.
    let (id, new, content) = app
        .hasher
        .in_turn(move |argon| new_user(body.into_body()?, user.role, argon))
        .await??;
    let created = detached(async move {
        let mut tx = app.outbox.begin().await?;
        let created = match created_before(&mut tx, key.as_ref(), id).await? {
            Some(user) => user,
            None => {
                let user = actions::admin::create(&mut tx, &cause, &by, id, &new).await?;
                app.mails.send(&mut tx, &user, content).await?;
                user
            }
        };
        tx.commit().await?;
        Ok(created)
    })
    .await?;
    Ok((StatusCode::CREATED, Json(created.into())))
}

fn new_user(
    account: NewAccount,
    creator: Role,
    argon: &Argon,
) -> Result<(UserId, NewUser, Content), Problem> {
    let role = account.role.map_or(Role::Student, |role| role.0);
    if creator != Role::Admin && role != Role::Student {
        tracing::warn!(%creator, %role, "The creation of a user with a role that is not allowed was refused");
        let problem = Problem::from(Error::RoleNotAllowed);
        return Err(problem.detail("An encadrant may create students only."));
    }
    let (password, content) = match account.password.0 {
        Some(password) => (password, Content::Verification),
        None => (unknown_password(), Content::SetPassword),
    };
    let new = NewUser {
        email: account.email,
        password_hash: argon.hash(&password),
        first_name: account.first_name.unwrap_or_default(),
        last_name: account.last_name.unwrap_or_default(),
        phone: account.phone.and_then(|phone| phone.0),
        role,
        locale: account.locale.unwrap_or_default(),
        email_verified: false,
    };
    let id = account.id.map_or_else(UserId::new, UserId::from);
    Ok((id, new, content))
}

/// A password that nobody knows: a log-in takes as long to refuse as with a wrong password.
pub(super) fn unknown_password() -> Password {
    let text = BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>());
    Password::claimed(&text).expect("it is not too long")
}
