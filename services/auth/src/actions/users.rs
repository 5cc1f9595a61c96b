//! Changes of users. Where nothing else is said, an action fails with the error of the database or of the event.

use crate::{
    domain::{Email, Locale, PersonName, Phone, ProfileLink},
    store::{
        self,
        users::{NewUser, User},
    },
};
use chrono::Utc;
use events::{
    UserId,
    auth::{UserCreated, UserDeleted, UserUpdated},
};
use messaging::{Cause, EnqueueError, Transaction};
use service_kit::revocations::Revocation;
use uuid::Uuid;

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Another user has this e-mail.
    #[error("a user with this e-mail exists already")]
    EmailTaken,
    /// The user does not exist any more.
    #[error("the user does not exist any more")]
    Gone,
    /// A statement failed.
    #[error("the user cannot be stored")]
    Database(#[from] sqlx::Error),
    /// The event cannot be published.
    #[error("the event cannot be published")]
    Enqueue(#[from] EnqueueError),
}

/// Creates a user, and announces it.
///
/// # Errors
/// Also fails when the e-mail is taken.
pub(crate) async fn register(
    tx: &mut Transaction,
    cause: &Cause,
    new: &NewUser,
) -> Result<User, UserError> {
    let user = store::users::insert(tx, UserId::new(), new)
        .await?
        .ok_or(UserError::EmailTaken)?;
    tx.enqueue(cause, user.version, created(&user)).await?;
    Ok(user)
}

/// A change of a user. A field that is `None` keeps its value.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// The e-mail.
    pub email: Option<Email>,
    /// Empty when the user removed it.
    pub first_name: Option<PersonName>,
    /// Empty when the user removed it.
    pub last_name: Option<PersonName>,
    /// `Some(None)` when the user removed it.
    pub phone: Option<Option<Phone>>,
    /// The language of texts.
    pub locale: Option<Locale>,
}

/// Changes a user, and announces all changed fields in one event. When no field changed, it publishes no event.
///
/// # Errors
/// Also fails when the new e-mail is taken, or when the user does not exist any more.
pub(crate) async fn update(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
    change: Change,
) -> Result<User, UserError> {
    let before = store::users::lock(tx, id).await?.ok_or(UserError::Gone)?;
    let mut after = before.clone();
    let mut changes = Vec::new();
    let mut set = |name: &str, field: &mut String, new: Option<String>| {
        if let Some(new) = new.filter(|new| new != field) {
            *field = new;
            changes.push(name.to_owned());
        }
    };
    set(
        "email",
        &mut after.email,
        change.email.map(|email| email.as_str().to_owned()),
    );
    set(
        "first_name",
        &mut after.first_name,
        change.first_name.map(|name| name.as_str().to_owned()),
    );
    set(
        "last_name",
        &mut after.last_name,
        change.last_name.map(|name| name.as_str().to_owned()),
    );
    set(
        "locale",
        &mut after.locale,
        change.locale.map(|locale| locale.as_str().to_owned()),
    );
    let phone = change
        .phone
        .map(|phone| phone.map(|phone| phone.as_str().to_owned()));
    if let Some(phone) = phone.filter(|phone| *phone != after.phone) {
        after.phone = phone;
        changes.push("phone".to_owned());
    }
    if changes.is_empty() {
        return Ok(before);
    }
    let user = store::users::update(tx, &after)
        .await?
        .ok_or(UserError::EmailTaken)?;
    let updated = updated(&user, changes);
    tx.enqueue(cause, user.version, updated).await?;
    Ok(user)
}

/// Changes the e-mail of a user, and ends all sessions but the one that asks.
///
/// # Errors
/// Also fails when the e-mail is taken, or when the user does not exist any more.
pub(crate) async fn change_email(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
    email: Email,
    session_id: Uuid,
) -> Result<User, UserError> {
    let change = Change {
        email: Some(email),
        ..Change::default()
    };
    let user = update(tx, cause, id, change).await?;
    super::sessions::revoke_others(tx, cause, id, session_id).await?;
    Ok(user)
}

/// Stores another password of a user, and ends all sessions.
///
/// # Errors
/// Also fails when the user does not exist any more.
pub(crate) async fn change_password(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
    password_hash: &str,
) -> Result<User, UserError> {
    let user = store::users::lock(tx, id).await?.ok_or(UserError::Gone)?;
    store::users::set_password(tx, id, password_hash).await?;
    super::sessions::revoke_all(tx, cause, id).await?;
    Ok(user)
}

/// Deletes a user with all sessions, and announces it, so that the other services erase the user's data. Returns the
/// e-mail.
///
/// # Errors
/// Also fails when the user does not exist any more.
pub(crate) async fn delete(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
) -> Result<String, UserError> {
    let user = store::users::delete(tx, id).await?.ok_or(UserError::Gone)?;
    tx.erase(&[id.as_uuid()], std::slice::from_ref(&user.email))
        .await?;
    let all_sessions = Revocation {
        user_id: id,
        session_id: None,
        at: Utc::now(),
    };
    tx.revoke(vec![all_sessions]).await?;
    let deleted = UserDeleted {
        user_id: id,
        email: user.email.clone(),
    };
    tx.enqueue(cause, user.version + 1, deleted).await?;
    Ok(user.email)
}

/// Records which users have which profiles.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn link_profiles(tx: &mut Transaction, links: &[ProfileLink]) -> sqlx::Result<()> {
    store::users::link_profiles(tx, links).await
}

/// The event of a user who was created.
pub(super) fn created(user: &User) -> UserCreated {
    UserCreated {
        user_id: user.user_id(),
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        role: user.role(),
        created_at: Some(user.created_at),
        phone: user.phone.clone(),
        locale: Some(user.locale.clone()),
        email_verified: Some(user.email_verified),
    }
}

/// The event of a user whose fields `changes` changed.
pub(super) fn updated(user: &User, changes: Vec<String>) -> UserUpdated {
    UserUpdated {
        user_id: user.user_id(),
        email: user.email.clone(),
        first_name: Some(user.first_name.clone()),
        last_name: Some(user.last_name.clone()),
        phone: Some(user.phone.clone()),
        role: Some(user.role()),
        locale: Some(user.locale.clone()),
        is_active: Some(user.is_active),
        email_verified: Some(user.email_verified),
        changes,
    }
}

/// Whether any of these users has a profile.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn have_profiles(tx: &mut Transaction, ids: &[UserId]) -> sqlx::Result<bool> {
    store::users::have_profiles(tx, ids).await
}
