//! The links in mails: their secrets, and what they are redeemed for. Where nothing else is said, an action fails with
//! the error of the database or of the event.

use super::{
    mails::Mails,
    users::{self, Change, UserError},
};
use crate::{
    domain::{Email, LinkSecret},
    store::{
        self,
        audit::{Action, Actor, Detail},
        link_secrets,
        users::User,
    },
};
use events::UserId;
use mail::{Content, Drawn, Link, Purpose};
use messaging::{Cause, Transaction};
use sqlx::PgConnection;
use std::pin::Pin;

/// Draws the secret of a link, and stores its digest. A link is obsolete when its user was deleted, has another e-mail
/// since, or has nothing left to do with it.
///
/// # Errors
/// Fails with the database's error.
pub(crate) fn draw<'a>(
    connection: &'a mut PgConnection,
    link: Link<'a>,
) -> Pin<Box<dyn Future<Output = anyhow::Result<Drawn>> + Send + 'a>> {
    Box::pin(async move {
        // Without a lock: the deletion of a user waits for the mail that is prepared here, which must not wait for it.
        let user = store::users::by_id(connection, UserId::from(link.user_id)).await?;
        let is_of_use = user.is_some_and(|user| {
            let is_own = user.email.eq_ignore_ascii_case(link.recipient);
            match link.purpose {
                Purpose::VerifyEmail => is_own && !user.email_verified,
                Purpose::ResetPassword => is_own && user.is_active,
                Purpose::RestoreEmail => !is_own,
            }
        });
        if !is_of_use {
            return Ok(Drawn::Obsolete);
        }
        let secret = LinkSecret::draw();
        link_secrets::insert(connection, &link, &secret.digest()).await?;
        Ok(Drawn::Secret(secret.into_text().into()))
    })
}

/// Who redeems a link.
pub(crate) struct Redeemer {
    /// The request.
    pub cause: Cause,
    /// From where.
    pub detail: Detail,
}

impl Redeemer {
    /// The one who has the link acts as its user.
    fn of(&self, user: &User) -> Actor {
        Actor::user(user.user_id(), self.detail.clone())
    }
}

/// Returns the user whose password this secret sets. `None` when the secret cannot be redeemed.
pub(crate) async fn user_of(
    connection: &mut PgConnection,
    purpose: Purpose,
    secret: &LinkSecret,
) -> sqlx::Result<Option<User>> {
    match link_secrets::owner(connection, purpose, &secret.digest()).await? {
        Some(id) => store::users::by_id(connection, id).await,
        None => Ok(None),
    }
}

/// Redeems a secret, and returns its user, whose row is locked, with the address that the mail went to. `None` when the
/// secret was redeemed before, or its time has ended.
///
/// The row of the user comes before that of the secret, as in the deletion of a user, so that the two do not deadlock.
async fn redeem(
    tx: &mut Transaction,
    purpose: Purpose,
    secret: &LinkSecret,
) -> sqlx::Result<Option<(User, String)>> {
    let digest = secret.digest();
    let Some(id) = link_secrets::owner(tx, purpose, &digest).await? else {
        return Ok(None);
    };
    let Some(user) = store::users::lock(tx, id).await? else {
        return Ok(None);
    };
    let recipient = link_secrets::redeem(tx, purpose, &digest).await?;
    Ok(recipient.map(|recipient| (user, recipient)))
}

/// Notes that the e-mail of the user is the own. Returns false when the secret is refused.
pub(crate) async fn verify_email(
    tx: &mut Transaction,
    by: &Redeemer,
    secret: &LinkSecret,
) -> Result<bool, UserError> {
    let Some((user, recipient)) = redeem(tx, Purpose::VerifyEmail, secret).await? else {
        return Ok(false);
    };
    if user.email != recipient {
        return Ok(false);
    }
    users::update(tx, &by.cause, &by.of(&user), user.user_id(), verified()).await?;
    Ok(true)
}

/// Stores a password that the user of a link has chosen, ends all sessions, and marks the e-mail as verified: the user of
/// the link reads its mails. Returns the user, or `None` when the secret is refused.
pub(crate) async fn reset_password(
    tx: &mut Transaction,
    by: &Redeemer,
    secret: &LinkSecret,
    password_hash: &str,
) -> Result<Option<User>, UserError> {
    let Some((user, recipient)) = redeem(tx, Purpose::ResetPassword, secret).await? else {
        return Ok(None);
    };
    if user.email != recipient || !user.is_active {
        return Ok(None);
    }
    let (id, actor) = (user.user_id(), by.of(&user));
    users::set_password(tx, &by.cause, id, password_hash).await?;
    store::audit::write(tx, actor.did(Action::ResetPassword, id)).await?;
    link_secrets::delete(tx, id).await?;
    let user = users::update(tx, &by.cause, &actor, id, verified()).await?;
    Ok(Some(user))
}

/// Makes the address that a mail went to the e-mail of its user again, and ends all sessions. The person who changed it may
/// know the password. So a random password replaces it, and a mail lets the user set another one. Returns false when the
/// secret is refused.
///
/// # Errors
/// Also fails when another user has the address meanwhile.
pub(crate) async fn restore_email(
    tx: &mut Transaction,
    mails: &Mails,
    by: &Redeemer,
    secret: &LinkSecret,
    unknown_password_hash: &str,
) -> Result<bool, UserError> {
    let Some((user, recipient)) = redeem(tx, Purpose::RestoreEmail, secret).await? else {
        return Ok(false);
    };
    let Ok(email) = Email::parse(&recipient) else {
        return Ok(false);
    };
    let (id, actor) = (user.user_id(), by.of(&user));
    let change = Change {
        email: Some(email),
        ..verified()
    };
    users::set_password(tx, &by.cause, id, unknown_password_hash).await?;
    store::audit::write(tx, actor.did(Action::RestoreEmail, id)).await?;
    link_secrets::delete(tx, id).await?;
    let user = users::update(tx, &by.cause, &actor, id, change).await?;
    mails.send(tx, &user, Content::SetPassword).await?;
    Ok(true)
}

fn verified() -> Change {
    Change {
        email_verified: Some(true),
        ..Change::default()
    }
}
