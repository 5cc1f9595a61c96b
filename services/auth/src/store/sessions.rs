//! The tables `users_session` and `users_used_refresh_token`. Every function fails with the database's error.

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
    /// What is known of the client.
    pub(crate) client_info: Value,
    pub(crate) expires_at: DateTime<Utc>,
    /// Whether the browser keeps its cookie when it ends.
    pub(crate) is_remembered: bool,
}

/// A session that has not ended, with its row locked.
pub(crate) struct Locked {
    pub(crate) user_id: Uuid,
    pub(crate) is_remembered: bool,
    pub(crate) refresh_token_hash: String,
    pub(crate) authenticated_at: DateTime<Utc>,
}

/// A refresh token that was used a moment ago.
pub(crate) struct UsedToken {
    /// What the token that follows was made from.
    pub(crate) salt: Vec<u8>,
    /// How often the token was used again, this time included.
    pub(crate) repeats: i32,
}

/// A refresh token that can be used no more.
pub(crate) struct OldToken {
    pub(crate) user_id: Uuid,
    /// How often it was used again.
    pub(crate) repeats: i32,
}

/// The use of the present refresh token of a session.
pub(crate) struct Rotation {
    pub(crate) session_id: Uuid,
    pub(crate) used_hash: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) next_hash: String,
}

/// A session that has not ended, as its user sees it.
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) client_info: Value,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) last_used_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Inserts a session, and returns when the user gave the password for it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: NewSession,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "insert into users_session (id, user_id, refresh_token_hash, client_info, expires_at, is_remembered)
         values ($1, $2, $3, $4, $5, $6)
         returning authenticated_at",
        new.id,
        new.user_id.as_uuid(),
        new.refresh_token_hash,
        new.client_info,
        new.expires_at,
        new.is_remembered,
    )
    .fetch_one(connection)
    .await
}

/// Returns a session that has not ended, and locks its row until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Locked>> {
    sqlx::query_as!(
        Locked,
        "select user_id, is_remembered, refresh_token_hash, authenticated_at from users_session
         where id = $1 and not revoked and expires_at > now() for no key update",
        id
    )
    .fetch_optional(connection)
    .await
}

/// Replaces the present refresh token of a session, whose row is locked.
pub(crate) async fn rotate(connection: &mut PgConnection, rotation: Rotation) -> sqlx::Result<()> {
    sqlx::query!(
        "with used as (
             insert into users_used_refresh_token (token_hash, session_id, salt) values ($2, $1, $3))
         update users_session set refresh_token_hash = $4, last_used_at = now() where id = $1",
        rotation.session_id,
        rotation.used_hash,
        rotation.salt,
        rotation.next_hash,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts the use of a refresh token that was used before. `None` when that was more than 30 s ago.
pub(crate) async fn repeat(
    connection: &mut PgConnection,
    session_id: Uuid,
    token_hash: &str,
) -> sqlx::Result<Option<UsedToken>> {
    sqlx::query_as!(
        UsedToken,
        "update users_used_refresh_token set repeats = repeats + 1
         where token_hash = $2 and session_id = $1 and used_at > now() - interval '30 seconds'
         returning salt, repeats",
        session_id,
        token_hash
    )
    .fetch_optional(connection)
    .await
}

/// Returns what the token that followed a used one was made from.
pub(crate) async fn salt(
    connection: &mut PgConnection,
    session_id: Uuid,
    token_hash: &str,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select salt from users_used_refresh_token where token_hash = $2 and session_id = $1",
        session_id,
        token_hash
    )
    .fetch_optional(connection)
    .await
}

/// Whether the browser keeps the cookie of a session when it ends.
pub(crate) async fn is_remembered(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let is_remembered =
        sqlx::query_scalar!("select is_remembered from users_session where id = $1", id)
            .fetch_optional(connection)
            .await?;
    Ok(is_remembered.unwrap_or_default())
}

/// Returns the sessions of a user that have not ended, the one used last first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Vec<Session>> {
    sqlx::query_as!(
        Session,
        "select id, user_id, client_info, issued_at, last_used_at, expires_at from users_session
         where user_id = $1 and not revoked and expires_at > now()
         order by last_used_at desc, id desc",
        user_id.as_uuid()
    )
    .fetch_all(connection)
    .await
}

/// Whether a session of the user, ended or not, was opened by such a device.
pub(crate) async fn has_device(
    connection: &mut PgConnection,
    user_id: UserId,
    device: &str,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from users_session where user_id = $1 and client_info ->> 'device' = $2) as "exists!""#,
        user_id.as_uuid(),
        device
    )
    .fetch_one(connection)
    .await
}

/// Records that the user gave the password again, and returns when. `None` when the session has ended.
pub(crate) async fn confirm(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "update users_session set authenticated_at = now()
         where id = $1 and not revoked and expires_at > now() returning authenticated_at",
        id
    )
    .fetch_optional(connection)
    .await
}

/// Ends a session of a user. Returns false when there is none that has not ended.
pub(crate) async fn revoke(
    connection: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
) -> sqlx::Result<bool> {
    let revoked = sqlx::query!(
        "update users_session set revoked = true
         where id = $2 and user_id = $1 and not revoked and expires_at > now()",
        user_id.as_uuid(),
        id
    )
    .execute(connection)
    .await?;
    Ok(revoked.rows_affected() > 0)
}

/// Ends all sessions of a user but one, and returns the ids of those that it ended.
pub(crate) async fn revoke_all(
    connection: &mut PgConnection,
    user_id: UserId,
    except: Option<Uuid>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update users_session set revoked = true
         where user_id = $1 and id is distinct from $2 and not revoked and expires_at > now()
         returning id",
        user_id.as_uuid(),
        except
    )
    .fetch_all(connection)
    .await
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

/// Deletes refresh tokens that were used more than a minute ago, at most `limit`, and returns them.
pub(crate) async fn purge_used_tokens(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<Vec<OldToken>> {
    sqlx::query_as!(
        OldToken,
        "delete from users_used_refresh_token using users_session
         where session_id = users_session.id and token_hash = any(array(
             select token_hash from users_used_refresh_token where used_at < now() - interval '1 minute'
             order by used_at limit $1 for update skip locked))
         returning user_id, repeats",
        limit
    )
    .fetch_all(connection)
    .await
}
