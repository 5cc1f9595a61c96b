//! The mails of auth-service. Every function writes rows of the transaction that it gets, and fails with the database's
//! error.

use crate::{
    store::{self, users::User},
    throttle::Throttle,
};
use chrono::Utc;
use mail::{Content, Language, Mail};
use sqlx::PgConnection;

/// Writes mails, as many as an account may get.
#[derive(Clone)]
pub(crate) struct Mails {
    throttle: Throttle,
    are_on: bool,
}

impl Mails {
    /// `are_on` is false where the system is set to send no mails.
    pub(crate) fn new(throttle: Throttle, are_on: bool) -> Self {
        Self { throttle, are_on }
    }

    /// Tells a user something. An address that was not verified may be somebody else's: it gets only mails that verify
    /// it, and those that its owner needs to set a password.
    pub(crate) async fn send(
        &self,
        connection: &mut PgConnection,
        user: &User,
        content: Content,
    ) -> sqlx::Result<()> {
        let is_notice = matches!(
            content,
            Content::NewDevice { .. }
                | Content::PasswordChanged { .. }
                | Content::EmailChanged { .. }
        );
        if !self.are_on || (is_notice && !user.email_verified) {
            return Ok(());
        }
        if !self.count(connection, &user.email, &content).await? {
            return Ok(());
        }
        let mail = Mail {
            user_id: user.id,
            recipient: &user.email,
            name: &user.first_name,
            language: Language::of(&user.locale),
            content,
        };
        mail::enqueue(connection, &mail).await?;
        Ok(())
    }

    /// Tells the old address that it was changed, and asks the new one for a proof.
    pub(crate) async fn email_changed(
        &self,
        connection: &mut PgConnection,
        before: &User,
        after: &User,
    ) -> sqlx::Result<()> {
        if before.email == after.email {
            return Ok(());
        }
        let changed = Content::EmailChanged { at: Utc::now() };
        self.send(connection, before, changed).await?;
        self.send(connection, after, Content::Verification).await
    }

    /// Tells a user that the password was changed.
    pub(crate) async fn password_changed(
        &self,
        connection: &mut PgConnection,
        user: &User,
    ) -> sqlx::Result<()> {
        let changed = Content::PasswordChanged { at: Utc::now() };
        self.send(connection, user, changed).await
    }

    /// Tells a user of a log-in by a device that has had no session before.
    pub(crate) async fn logged_in(
        &self,
        connection: &mut PgConnection,
        user: &User,
        device: &str,
    ) -> sqlx::Result<()> {
        if store::sessions::has_device(connection, user.user_id(), device).await? {
            return Ok(());
        }
        let new_device = Content::NewDevice {
            device: device.to_owned(),
            at: Utc::now(),
        };
        self.send(connection, user, new_device).await
    }

    /// Counts a mail. Returns false when the account has had too many; an address without an account is counted alike.
    pub(crate) async fn count(
        &self,
        connection: &mut PgConnection,
        email: &str,
        content: &Content,
    ) -> sqlx::Result<bool> {
        self.throttle
            .may_mail(connection, email, content.kind())
            .await
    }
}
