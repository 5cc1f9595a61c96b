//! The table `users_session`. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use events::UserId;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Inserts a session.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    user_id: UserId,
    refresh_token_hash: &str,
    client_info: Value,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users_session (id, user_id, refresh_token_hash, client_info, expires_at)
         values ($1, $2, $3, $4, $5)",
        id,
        user_id.as_uuid(),
        refresh_token_hash,
        client_info,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
