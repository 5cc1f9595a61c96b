//! Deletes what has ended.

use crate::store::{
    inboxes,
    purge::{self, Owned},
};
use events::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Deletes the traces of at most `limit` deletions whose time has ended, and returns how many there were.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn forget(tx: &mut PgConnection, limit: i64) -> sqlx::Result<usize> {
    let ended = purge::forgettable(tx, limit).await?;
    if !ended.is_empty() {
        let ids = lock(tx, &ended).await?;
        purge::forget(tx, &ids).await?;
    }
    Ok(ended.len())
}

/// Deletes old notifications, as their users would.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn expire(
    tx: &mut PgConnection,
    expired: &[Owned],
    days: i32,
) -> sqlx::Result<()> {
    if !expired.is_empty() {
        let ids = lock(tx, expired).await?;
        purge::expire(tx, &ids, days).await?;
    }
    Ok(())
}

/// Locks the inboxes of notifications, and returns the ids of these.
async fn lock(tx: &mut PgConnection, notifications: &[Owned]) -> sqlx::Result<Vec<Uuid>> {
    let user_ids: Vec<UserId> = notifications.iter().map(|owned| owned.user_id).collect();
    inboxes::lock(tx, &user_ids, &[]).await?;
    Ok(notifications.iter().map(|owned| owned.id).collect())
}
