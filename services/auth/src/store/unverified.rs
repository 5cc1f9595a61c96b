//! Users of the table `users_user` whose e-mail is not verified. Every function fails with the database's error.

use super::users::User;
use events::UserId;
use sqlx::PgConnection;

/// Returns users whose e-mail is not verified for 23 days and who were not told that they will be deleted, at most
/// `limit`, and notes that they are told. It passes over rows that another process has in hand.
pub(crate) async fn announce(connection: &mut PgConnection, limit: i64) -> sqlx::Result<Vec<User>> {
    sqlx::query_as!(
        User,
        "update users_user set deletion_announced_at = now()
         where id = any(array(
             select id from users_user
             where not email_verified and role <> 'admin' and deletion_announced_at is null
               and coalesce(email_since, created_at) < now() - interval '23 days'
             limit $1 for no key update skip locked))
         returning id, email, first_name, last_name, phone, role, is_active, locale, email_verified, profile_id,
             created_at, updated_at, version",
        limit
    )
    .fetch_all(connection)
    .await
}

/// Returns a user whose e-mail is still not verified 7 days after the mail that announced the deletion, and locks the row.
pub(crate) async fn lock_due(connection: &mut PgConnection) -> sqlx::Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "select id from users_user
         where not email_verified and role <> 'admin' and deletion_announced_at < now() - interval '7 days'
         order by deletion_announced_at limit 1 for no key update skip locked"
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(UserId::from))
}
