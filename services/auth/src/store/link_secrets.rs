//! The table `users_link_secret`. Every function fails with the database's error.

use events::UserId;
use mail::{Link, Purpose};
use sqlx::PgConnection;

/// Stores the digest of a secret for a link, and deletes the oldest of more than [`Purpose::MOST_LIVE`] for the same user
/// and purpose.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    link: &Link<'_>,
    secret_hash: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users_link_secret (secret_hash, user_id, purpose, email, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))",
        secret_hash,
        link.user_id,
        link.purpose.as_str(),
        link.recipient,
        link.valid_for.as_seconds_f64()
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from users_link_secret where secret_hash = any(array(
             select secret_hash from users_link_secret where user_id = $1 and purpose = $2
             order by created_at desc offset $3))",
        link.user_id,
        link.purpose.as_str(),
        Purpose::MOST_LIVE
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns the user of a secret that can be redeemed.
pub(crate) async fn owner(
    connection: &mut PgConnection,
    purpose: Purpose,
    secret_hash: &str,
) -> sqlx::Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "select user_id from users_link_secret
         where secret_hash = $1 and purpose = $2 and expires_at > now()",
        secret_hash,
        purpose.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(UserId::from))
}

/// Redeems a secret, and returns the address that its mail went to. `None` when it was redeemed before, or its time has
/// ended.
pub(crate) async fn redeem(
    connection: &mut PgConnection,
    purpose: Purpose,
    secret_hash: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "delete from users_link_secret
         where secret_hash = $1 and purpose = $2 and expires_at > now() returning email",
        secret_hash,
        purpose.as_str()
    )
    .fetch_optional(connection)
    .await
}

/// Deletes the secrets of a user.
pub(crate) async fn delete(connection: &mut PgConnection, id: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_link_secret where user_id = $1",
        id.as_uuid()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes secrets that cannot be redeemed any more, at most `limit`, and returns how many there were.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from users_link_secret where secret_hash = any(array(
             select secret_hash from users_link_secret where expires_at < now()
             order by expires_at limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}
