//! What administrators do with users. An action fails with the errors of [`users`].

use super::users::{self, Change, UserError};
use crate::store::{
    self,
    audit::{Action, Actor},
    users::{NewUser, User},
};
use events::UserId;
use messaging::{Cause, Transaction};

/// Creates a user under the id that the caller drew, and announces it. A user who has this id and this e-mail already is
/// returned as the first time.
///
/// # Errors
/// Also fails when another user has the id or the e-mail.
pub(crate) async fn create(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    id: UserId,
    new: &NewUser,
) -> Result<User, UserError> {
    // The other services know the id of a user who was deleted as erased for good.
    let is_new = !store::audit::knows(tx, id).await?;
    if is_new && let Some(user) = users::create(tx, cause, id, new).await? {
        let entry = by.did(Action::CreateUser, id).about(&user.email);
        store::audit::write(tx, entry).await?;
        return Ok(user);
    }
    match store::users::by_id(tx, id).await? {
        Some(existing) if existing.email == new.email.as_str() => Ok(existing),
        None if is_new => Err(UserError::EmailTaken),
        _ => Err(UserError::IdTaken),
    }
}

/// Creates an administrator by a command on the server, and announces it.
///
/// # Errors
/// Also fails when another user has the e-mail.
pub(crate) async fn create_admin(
    tx: &mut Transaction,
    cause: &Cause,
    new: &NewUser,
) -> Result<User, UserError> {
    let user = users::create(tx, cause, UserId::new(), new).await?;
    let user = user.ok_or(UserError::EmailTaken)?;
    let entry = Actor::default().did(Action::CreateAdmin, user.user_id());
    store::audit::write(tx, entry.about(&user.email)).await?;
    Ok(user)
}

/// Changes a user; see [`users::update`].
///
/// # Errors
/// Also fails when administrators would change the own role.
pub(crate) async fn change(
    tx: &mut Transaction,
    cause: &Cause,
    by: &Actor,
    id: UserId,
    change: Change,
) -> Result<User, UserError> {
    if by.id == Some(id) && change.role.is_some() {
        let user = store::users::by_id(tx, id).await?.ok_or(UserError::Gone)?;
        if change.role != Some(user.role()) {
            return Err(UserError::OwnRole);
        }
    }
    users::update(tx, cause, by, id, change).await
}
