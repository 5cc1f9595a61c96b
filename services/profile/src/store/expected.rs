//! The table `profiles_expected`. Every function fails with the database's error.

use events::{Role, UserId};
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// A user who is to be created, and the own fields of the profile.
#[derive(Debug)]
pub(crate) struct Expected<'a, Fields> {
    /// The id for a request that is no repeat.
    pub user_id: UserId,
    /// Who sends the request.
    pub created_by: UserId,
    /// In lower case.
    pub email: &'a str,
    pub role: Role,
    pub fields: &'a Fields,
}

/// Stores the own fields of an expected user. Returns the id of the user, and whether the request is no repeat: a repeat
/// has the id of the first.
pub(crate) async fn put<Fields: Serialize + Sync>(
    connection: &mut PgConnection,
    expected: Expected<'_, Fields>,
) -> sqlx::Result<(UserId, bool)> {
    let row = sqlx::query!(
        r#"insert into profiles_expected (user_id, created_by, email, role, fields) values ($1, $2, $3, $4, $5)
           on conflict (created_by, email, role) do update set fields = excluded.fields, created_at = now()
           returning user_id, user_id = $1 as "is_new!""#,
        expected.user_id.as_uuid(),
        expected.created_by.as_uuid(),
        expected.email,
        expected.role.as_str(),
        Json(expected.fields) as _,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.user_id.into(), row.is_new))
}

/// Records that auth-service has created the user.
pub(crate) async fn confirm(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "update profiles_expected set is_confirmed = true where user_id = $1",
        user_id.as_uuid()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the own fields of users who were created or deleted, with the roles that were asked for.
pub(crate) async fn take(
    connection: &mut PgConnection,
    user_ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, (String, Value)>> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "delete from profiles_expected where user_id = any($1) returning user_id, role, fields",
        &user_ids
    )
    .fetch_all(connection)
    .await?;
    let taken = rows
        .into_iter()
        .map(|row| (row.user_id.into(), (row.role, row.fields)));
    Ok(taken.collect())
}

/// Returns the own fields that wait for the event of a user.
pub(crate) async fn of_user(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Value>> {
    sqlx::query_scalar!(
        "select fields from profiles_expected where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Deletes the rows of requests that were not repeated for an hour, and whose users auth-service did not confirm; and those
/// of users who have a profile: a repeat of the request wrote them while the event was handled.
pub(crate) async fn sweep(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from profiles_expected as expected
         where not is_confirmed and created_at < now() - interval '1 hour'
            or exists (select from profiles_student as made where made.user_id = expected.user_id)
            or exists (select from profiles_encadrant as made where made.user_id = expected.user_id)"
    )
    .execute(connection)
    .await?;
    Ok(())
}
