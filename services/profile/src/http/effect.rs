//! Waits for the events that follow from a request to auth-service, so that the next request reads what was written.

use crate::{domain::Person, store::people};
use events::UserId;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a request waits: what auth-service has answered is certain, and its event may take longer.
const LIMIT: Duration = Duration::from_secs(2);

/// What the event does to the profile of its user.
pub(super) enum Effect<'a> {
    /// The profile has these names and this phone.
    Change(&'a Person),
    /// The profile is made.
    Creation(UserId),
    /// The profile is erased.
    Deletion(UserId),
}

impl Effect<'_> {
    /// Waits until the event was handled, for [`LIMIT`] at most.
    pub(super) async fn wait(&self, pool: &PgPool) -> sqlx::Result<()> {
        let end = Instant::now() + LIMIT;
        let mut pause = Duration::from_millis(5);
        while !self.is_there(pool).await? && Instant::now() < end {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
        Ok(())
    }

    async fn is_there(&self, pool: &PgPool) -> sqlx::Result<bool> {
        let mut connection = pool.acquire().await?;
        match self {
            Self::Change(person) => people::is_current(&mut connection, person).await,
            Self::Creation(user_id) => Ok(!people::is_gone(&mut connection, *user_id).await?),
            Self::Deletion(user_id) => people::is_gone(&mut connection, *user_id).await,
        }
    }
}
