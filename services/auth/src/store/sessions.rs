//! The table `users_session`. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use events::UserId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A session to be inserted.
pub(crate) struct NewSession {
    pub(crate) id: Uuid,
    pub(crate) user_id: UserId,
    pub(crate) refresh_token_hash: String,
    /// What the client says about itself.
    pub(crate) client_info: Value,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Inserts a session.
pub(crate) async fn insert(connection: &mut PgConnection, new: NewSession) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users_session (id, user_id, refresh_token_hash, client_info, expires_at)
         values ($1, $2, $3, $4, $5)",
        new.id,
        new.user_id.as_uuid(),
        new.refresh_token_hash,
        new.client_info,
        new.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes sessions that have ended, at most `limit`, and returns how many there were. None that began after `before` is
/// looked at: ids are in the order of time, so the primary key finds the old ones.
pub(crate) async fn purge(
    connection: &mut PgConnection,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from users_session where id = any(array(
             select id from users_session where id < $1 and expires_at < now()
             order by id limit $2 for update skip locked))",
        before,
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}
