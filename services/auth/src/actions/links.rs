//! The secrets of links in mails.

use crate::{
    domain::LinkSecret,
    store::{link_secrets, users},
};
use events::UserId;
use mail::{Drawn, Link, Purpose};
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
        let user = users::by_id(connection, UserId::from(link.user_id)).await?;
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
