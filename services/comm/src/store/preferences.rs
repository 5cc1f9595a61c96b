//! The table `communications_preference`: what users have switched off. Every function fails with the database's error.

use events::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Returns the kinds that a user has switched off.
pub(crate) async fn off(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select kind from communications_preference where user_id = $1 order by kind",
        user_id.as_uuid()
    )
    .fetch_all(connection)
    .await
}

/// Switches these kinds off, and all others on.
pub(crate) async fn set_off(
    connection: &mut PgConnection,
    user_id: UserId,
    kinds: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        "with others as (
             delete from communications_preference where user_id = $1 and kind <> all($2))
         insert into communications_preference (user_id, kind) select $1, unnest($2::text[]) on conflict do nothing",
        user_id.as_uuid(),
        kinds,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes what users have switched off.
pub(crate) async fn erase(connection: &mut PgConnection, user_ids: &[UserId]) -> sqlx::Result<()> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "delete from communications_preference where user_id = any($1)",
        &user_ids
    )
    .execute(connection)
    .await?;
    Ok(())
}
