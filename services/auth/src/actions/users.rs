//! Changes of users. Where nothing else is said, an action fails with the error of the database or of the event.

use crate::{
    actions::sessions::revoke_all,
    domain::{Email, Locale, PersonName, Phone, ProfileLink},
    store::{
        self,
        audit::{Action, Actor, Detail},
        users::{NewUser, User},
    },
};
use events::{
    Role, UserId,
    auth::{UserCreated, UserDeleted, UserRoleChanged, UserUpdated},
};
use messaging::{Cause, EnqueueError, Transaction};

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Another user has this e-mail.
    #[error("a user with this e-mail exists already")]
    EmailTaken,
    /// Another user has this id, or had it.
    #[error("another user has this id")]
    IdTaken,
    /// The user does not exist any more.
    #[error("the user does not exist any more")]
    Gone,
    /// No other administrator can log in.
    #[error("one administrator must remain")]
    LastAdmin,
    /// An administrator asked for another role for the own user.
    #[error("nobody changes the own role")]
    OwnRole,
    /// A statement failed.
    #[error("the user cannot be stored")]
    Database(#[from] sqlx::Error),
    /// The event cannot be published.
    #[error("the event cannot be published")]
    Enqueue(#[from] EnqueueError),
}

/// Creates a user who registers, and announces it.
///
/// # Errors
/// Also fails when the e-mail is taken.
pub(crate) async fn register(
    tx: &mut Transaction,
    cause: &Cause,
    detail: Detail,
    id: UserId,
    new: &NewUser,
) -> Result<User, UserError> {
    let user = create(tx, cause, id, new).await?;
    let user = user.ok_or(UserError::EmailTaken)?;
    let entry = Actor::user(id, detail).did(Action::Register, id);
    store::audit::write(tx, entry.about(&user.email)).await?;
    Ok(user)
}

/// Creates a user with this id, and announces it. `None` when the e-mail or the id is taken.
pub(super) async fn create(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
    new: &NewUser,
) -> Result<Option<User>, UserError> {
    let user = store::users::insert(tx, id, new).await?;
    if let Some(user) = &user {
        tx.enqueue(cause, user.version, created(user)).await?;
    }
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
    /// What the user is.
    pub role: Option<Role>,
    /// Whether the user can log in.
    pub is_active: Option<bool>,
    /// Whether the e-mail is verified; a new one is not, unless this says so.
    pub email_verified: Option<bool>,
}

/// Changes a user, and announces all changed fields in one event. When no field changed, it publishes no event. The
/// sessions of the user end when the role changed, or whether the user can log in.
///
/// # Errors
/// Also fails when the new e-mail is taken, when the user does not exist any more, or when no administrator would remain.
pub(crate) async fn update(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    id: UserId,
    change: Change,
) -> Result<User, UserError> {
    let before = store::users::lock(tx, id).await?.ok_or(UserError::Gone)?;
    let (after, changes) = change.apply_to(&before);
    if changes.is_empty() {
        return Ok(before);
    }
    if !after.is_active || after.role != before.role {
        keep_an_admin(tx, &before).await?;
    }
    let user = store::users::update(tx, &after)
        .await?
        .ok_or(UserError::EmailTaken)?;
    let mut entry = by.did(action(&changes, &user), id);
    if user.email != before.email {
        entry = entry.about(&before.email);
    }
    store::audit::write(tx, entry).await?;
    let updated = updated(&user, changes);
    let (old_role, new_role) = (before.role(), user.role());
    if old_role == new_role {
        tx.enqueue(cause, user.version, updated).await?;
    } else {
        let changed = UserRoleChanged {
            user: updated,
            old_role,
            new_role,
        };
        tx.enqueue(cause, user.version, changed).await?;
    }
    if old_role != new_role || before.is_active != user.is_active {
        revoke_all(tx, cause, id).await?;
    }
    Ok(user)
}

impl Change {
    /// Returns the user after the change, with the names of the fields that differ.
    fn apply_to(self, before: &User) -> (User, Vec<String>) {
        let mut after = before.clone();
        let mut changes = Vec::new();
        let mut set = |name: &str, field: &mut String, new: Option<&str>| {
            if let Some(new) = new.filter(|new| new != field) {
                new.clone_into(field);
                changes.push(name.to_owned());
            }
        };
        let email = self.email.as_ref().map(Email::as_str);
        let first_name = self.first_name.as_ref().map(PersonName::as_str);
        let last_name = self.last_name.as_ref().map(PersonName::as_str);
        set("email", &mut after.email, email);
        set("first_name", &mut after.first_name, first_name);
        set("last_name", &mut after.last_name, last_name);
        set("locale", &mut after.locale, self.locale.map(Locale::as_str));
        set("role", &mut after.role, self.role.map(Role::as_str));
        let phone = self.phone.map(|new| new.map(|new| new.as_str().to_owned()));
        if let Some(phone) = phone.filter(|phone| *phone != after.phone) {
            after.phone = phone;
            changes.push("phone".to_owned());
        }
        if let Some(is_active) = self.is_active.filter(|new| *new != after.is_active) {
            after.is_active = is_active;
            changes.push("is_active".to_owned());
        }
        let is_same = after.email == before.email;
        let email_verified = self
            .email_verified
            .unwrap_or(is_same && before.email_verified);
        if email_verified != before.email_verified {
            after.email_verified = email_verified;
            changes.push("email_verified".to_owned());
        }
        (after, changes)
    }
}

/// What the audit log calls a change of these fields.
fn action(changes: &[String], after: &User) -> Action {
    let changed = |name: &str| changes.iter().any(|change| change == name);
    if changed("role") {
        Action::ChangeRole
    } else if changed("is_active") && after.is_active {
        Action::EnableUser
    } else if changed("is_active") {
        Action::DisableUser
    } else if changed("email") {
        Action::ChangeEmail
    } else if changed("email_verified") {
        Action::VerifyEmail
    } else {
        Action::ChangeUser
    }
}

/// Refuses to take the rights of the last administrator who can log in.
async fn keep_an_admin(tx: &mut Transaction, user: &User) -> Result<(), UserError> {
    let is_admin = user.role() == Role::Admin && user.is_active;
    if is_admin && !store::users::another_admin_exists(tx, user.user_id()).await? {
        return Err(UserError::LastAdmin);
    }
    Ok(())
}

/// Stores another password of a user, and ends all sessions.
///
/// # Errors
/// Also fails when the user does not exist any more.
pub(crate) async fn change_password(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    id: UserId,
    password_hash: &str,
) -> Result<User, UserError> {
    let user = store::users::lock(tx, id).await?.ok_or(UserError::Gone)?;
    set_password(tx, cause, id, password_hash).await?;
    store::audit::write(tx, by.did(Action::ChangePassword, id)).await?;
    Ok(user)
}

/// Stores another password of a user, whose row is locked, and ends all sessions.
pub(super) async fn set_password(
    tx: &mut Transaction,
    cause: &Cause,
    id: UserId,
    password_hash: &str,
) -> Result<(), UserError> {
    store::users::set_password(tx, id, password_hash).await?;
    revoke_all(tx, cause, id).await
}

/// Deletes a user with all sessions and mails, and announces it, so that the other services erase the user's data. Returns the
/// e-mail.
///
/// # Errors
/// Also fails when the user does not exist any more, or when no administrator would remain.
pub(crate) async fn delete(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    id: UserId,
) -> Result<String, UserError> {
    let before = store::users::lock(tx, id).await?.ok_or(UserError::Gone)?;
    keep_an_admin(tx, &before).await?;
    revoke_all(tx, cause, id).await?;
    let user = store::users::delete(tx, id).await?.ok_or(UserError::Gone)?;
    // In this order: it waits for a mail that is being prepared, which draws the last secret.
    mail::erase(tx, id.as_uuid()).await?;
    store::link_secrets::delete(tx, id).await?;
    tx.erase(&[id.as_uuid()], std::slice::from_ref(&user.email))
        .await?;
    store::audit::erase(tx, id, &user.email).await?;
    let mut entry = by.did(Action::DeleteUser, id);
    if by.id == Some(id) {
        entry.detail = Detail::default();
    }
    store::audit::write(tx, entry).await?;
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
