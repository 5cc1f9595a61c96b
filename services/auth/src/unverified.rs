//! Deletes users who have not verified their e-mail within 30 days, where mails are sent; a mail announces it a week
//! before. An address that belongs to somebody else is free again, and no inbox fills up unread. Administrators stay:
//! a person made them.
//!
//! Each process of the API does it, and passes over rows that another one has in hand.

use crate::{
    actions::{self, mails::Mails},
    store::{
        self,
        audit::{Action, Actor},
    },
    throttle::Throttle,
};
use chrono::{Days, Utc};
use mail::Content;
use messaging::{Cause, Outbox};
use service_kit::metrics::finished;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(600);
/// The most users of one round and kind.
const BATCH: i64 = 100;
/// From the mail to the deletion.
const NOTICE: Days = Days::new(7);

/// What the task needs.
pub(crate) struct Unverified {
    pub(crate) outbox: Outbox,
    pub(crate) mails: Mails,
    pub(crate) throttle: Throttle,
}

impl Unverified {
    /// Announces and deletes until the process stops.
    ///
    /// # Errors
    /// Never: while the database does not answer, it tries again.
    pub(crate) async fn run(self, stopping: CancellationToken) -> anyhow::Result<()> {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(
                    "Users without a verified e-mail could not be looked after: {error:#}"
                );
            }
            finished("unverified users");
            tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn round(&self) -> anyhow::Result<()> {
        self.announce().await?;
        for _ in 0..BATCH {
            if !self.delete_one().await? {
                break;
            }
        }
        Ok(())
    }

    async fn announce(&self) -> anyhow::Result<()> {
        let mut tx = self.outbox.begin().await?;
        let on = Utc::now().date_naive() + NOTICE;
        for user in store::unverified::announce(&mut tx, BATCH).await? {
            let content = Content::DeletionAhead { on };
            self.mails.send(&mut tx, &user, content).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Deletes one user whose time has ended. Returns false when there is none.
    async fn delete_one(&self) -> anyhow::Result<bool> {
        let mut tx = self.outbox.begin().await?;
        let Some(id) = store::unverified::lock_due(&mut tx).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        let (cause, server) = (Cause::root(Uuid::now_v7()), Actor::default());
        store::audit::write(&mut tx, server.did(Action::DeleteUnverified, id)).await?;
        let email = actions::users::delete(&mut tx, &cause, &server, id).await?;
        self.throttle.forget(&mut tx, &email).await?;
        tx.commit().await?;
        tracing::info!(user_id = %id, "A user without a verified e-mail was deleted after 30 days");
        Ok(true)
    }
}
