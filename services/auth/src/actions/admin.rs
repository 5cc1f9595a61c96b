//! What administrators do with users. An action fails with the errors of [`users`].

use super::users::{self, Change, UserError};
use crate::store::{
    self,
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
    id: UserId,
    new: &NewUser,
) -> Result<User, UserError> {
    if let Some(user) = users::create(tx, cause, id, new).await? {
        return Ok(user);
    }
    let existing = store::users::by_id(tx, id).await?;
    let existing = existing.ok_or(UserError::EmailTaken)?;
    if existing.email != new.email.as_str() {
        return Err(UserError::IdTaken);
    }
    Ok(existing)
}

/// Changes a user; see [`users::update`].
///
/// # Errors
/// Also fails when administrators would change the own role.
pub(crate) async fn change(
    tx: &mut Transaction,
    cause: &Cause,
    actor: UserId,
    id: UserId,
    change: Change,
) -> Result<User, UserError> {
    if actor == id && change.role.is_some() {
        let user = store::users::by_id(tx, id).await?.ok_or(UserError::Gone)?;
        if change.role != Some(user.role()) {
            return Err(UserError::OwnRole);
        }
    }
    users::update(tx, cause, id, change).await
}
