//! Changes of accounts.

use crate::store::{
    self,
    users::{NewUser, User},
};
use events::{UserId, auth::UserCreated};
use messaging::{Cause, EnqueueError, Failure, Transaction};
use uuid::Uuid;

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotRegistered {
    /// There is an account with this e-mail.
    #[error("there is an account with this e-mail already")]
    EmailTaken,
    /// The database refused.
    #[error("the account cannot be stored")]
    Database(#[from] sqlx::Error),
    /// The event cannot be published.
    #[error("the event cannot be published")]
    Enqueue(#[from] EnqueueError),
}

/// Makes an account and announces it.
///
/// # Errors
/// When the e-mail is taken, or the database refuses.
pub async fn register(tx: &mut Transaction, cause: &Cause, new: &NewUser) -> Result<User, NotRegistered> {
    let user = store::users::insert(tx, UserId::new(), new).await?.ok_or(NotRegistered::EmailTaken)?;
    let created = UserCreated {
        user_id: user.user_id(),
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        role: user.role(),
        created_at: Some(user.created_at),
        phone: user.phone.clone(),
        locale: Some(user.locale.clone()),
    };
    tx.enqueue(cause, 1, created).await?;
    Ok(user)
}

/// Notes which profiles were made for which accounts.
///
/// # Errors
/// When the database refuses.
pub async fn link_profiles(tx: &mut Transaction, profiles: &[(UserId, Uuid)]) -> Result<(), Failure> {
    Ok(store::users::link_profiles(tx, profiles).await?)
}
