//! Checks of passwords, and how many tries a client and an address have.

use super::{
    App, audit,
    client::Client,
    errors::{gone, locked, too_many, wrong_password},
    fields::ClaimedPassword,
};
use crate::{
    domain::Password,
    passwords::Check,
    store::{
        self,
        budgets::{self, Limit},
        logins::{self, Attempt},
    },
};
use events::UserId;
use messaging::Transaction;
use service_kit::{
    body,
    http::{CurrentUser, Problem, detached},
};
use std::net::IpAddr;

body! {
    /// The password that the user has now.
    pub(super) struct Confirmation {
        current_password: ClaimedPassword = "SecurePass123!",
    }
}

/// Counts a try before its password is checked. The try is a failure until [`logins::succeeded`] says that it was none.
pub(super) async fn count(app: &App, attempt: &Attempt) -> Result<(), Problem> {
    let (pool, attempt) = (app.pool.clone(), attempt.clone());
    detached(async move {
        let mut tx = pool.begin().await?;
        if logins::count(&mut tx, &attempt).await? {
            return Ok(tx.commit().await?);
        }
        tx.rollback().await?;
        let seconds = logins::locked_for(&mut *pool.acquire().await?, &attempt).await?;
        // The lock may have ended in between.
        Err(locked(seconds.unwrap_or(1)))
    })
    .await
}

/// Whether this is the password of the hash. A try that is not checked, because too many passwords wait, is not counted.
pub(super) async fn verify(
    app: &App,
    attempt: &Attempt,
    password: Password,
    hash: Option<String>,
) -> Result<Check, Problem> {
    match app.hasher.verify(password, hash).await {
        Ok(check) => Ok(check),
        Err(busy) => {
            let (pool, attempt) = (app.pool.clone(), attempt.clone());
            detached(async move {
                let mut tx = pool.begin().await?;
                logins::take_back(&mut tx, &attempt).await?;
                tx.commit().await?;
                Err(busy.into())
            })
            .await
        }
    }
}

/// Whether a user may log in with this password, asked in the transaction that opens the session: since the password was
/// checked with the hash `checked`, it may have been changed, or the user disabled or deleted. Until the transaction ends,
/// none of this happens.
pub(super) async fn may_log_in(
    app: &App,
    tx: &mut Transaction,
    id: UserId,
    password: Password,
    checked: Option<&str>,
) -> Result<bool, Problem> {
    let user = store::users::lock(tx, id).await?;
    let stored = store::users::credentials(tx, id).await?;
    let (Some(user), Some(stored)) = (user, stored) else {
        return Ok(false);
    };
    let hash = stored.password_hash;
    // Another log-in may have replaced the hash by one of the same password.
    let is_right = checked == Some(hash.as_str())
        || app.hasher.verify(password, Some(hash)).await? != Check::Wrong;
    Ok(is_right && user.is_active)
}

/// Checks the password of a user who is logged in, as [`check_password`].
pub(super) async fn check_confirmation(
    app: &App,
    user: &CurrentUser,
    client: &Client,
    confirmation: Confirmation,
) -> Result<(), Problem> {
    let password = confirmation.current_password;
    check_password(app, user, client, password, "current_password").await
}

/// Checks the password of a user who is logged in, which stands in `field` of the body. Failures are limited for each
/// session, so that a stolen token does not help to guess the password, and so that no guesser at the log-in disturbs the
/// user; they are audited as failed log-ins.
pub(super) async fn check_password(
    app: &App,
    user: &CurrentUser,
    client: &Client,
    password: ClaimedPassword,
    field: &str,
) -> Result<(), Problem> {
    let existing = store::users::credentials(&mut *app.pool.acquire().await?, user.id).await?;
    let existing = existing.ok_or_else(gone)?;
    let attempt = app
        .throttle
        .attempt_in_session(&existing.email, user.session_id);
    count(app, &attempt).await?;
    let check = verify(app, &attempt, password.0, Some(existing.password_hash)).await?;
    if check == Check::Wrong {
        audit::write_failed_login(app, Some(user.id), &existing.email, client.detail()).await?;
        return Err(wrong_password(field));
    }
    let pool = app.pool.clone();
    detached(async move {
        let mut tx = pool.begin().await?;
        logins::succeeded(&mut tx, &attempt).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Counts a request of this address, and refuses it when there were too many.
pub(super) async fn limit_address(app: &App, address: IpAddr, limit: Limit) -> Result<(), Problem> {
    let budget = app.throttle.address_budget(address, limit);
    let mut connection = app.pool.acquire().await?;
    if budgets::spend(&mut connection, &budget).await? {
        return Ok(());
    }
    let seconds = budgets::full_in(&mut connection, &budget).await?;
    Err(too_many(seconds.unwrap_or(1)))
}
