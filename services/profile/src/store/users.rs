//! The table `profiles_account`: one row for each user. Every function fails with the database's error.

use crate::domain::UserState;
use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Returns the recorded states of users, and locks them until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    user_ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, UserState>> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "select user_id, version, changed_at, erased from profiles_account
         where user_id = any($1) order by user_id for update",
        &user_ids
    )
    .fetch_all(connection)
    .await?;
    let state = |user_id: Uuid, version, changed_at, erased| UserState {
        user_id: user_id.into(),
        version,
        changed_at,
        erased,
    };
    Ok(rows
        .into_iter()
        .map(|row| state(row.user_id, row.version, row.changed_at, row.erased))
        .map(|state| (state.user_id, state))
        .collect())
}

/// Records users that are not recorded, in one round trip, and returns which they were.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    users: &[UserState],
) -> sqlx::Result<HashSet<UserId>> {
    let columns = Columns::of(users);
    let recorded = sqlx::query_scalar!(
        "insert into profiles_account (user_id, version, changed_at, erased)
         select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[])
         on conflict (user_id) do nothing
         returning user_id",
        &columns.user_ids,
        &columns.versions,
        &columns.changed_at,
        &columns.erased,
    )
    .fetch_all(connection)
    .await?;
    Ok(recorded.into_iter().map(UserId::from).collect())
}

/// Records the states of users, in one round trip.
pub(crate) async fn put(connection: &mut PgConnection, users: &[UserState]) -> sqlx::Result<()> {
    let columns = Columns::of(users);
    sqlx::query!(
        "insert into profiles_account as known (user_id, version, changed_at, erased)
         select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[])
         on conflict (user_id) do update
         set version = excluded.version, changed_at = excluded.changed_at,
             erased = known.erased or excluded.erased",
        &columns.user_ids,
        &columns.versions,
        &columns.changed_at,
        &columns.erased,
    )
    .execute(connection)
    .await?;
    Ok(())
}

struct Columns {
    user_ids: Vec<Uuid>,
    versions: Vec<i64>,
    changed_at: Vec<DateTime<Utc>>,
    erased: Vec<bool>,
}

impl Columns {
    fn of(users: &[UserState]) -> Self {
        Self {
            user_ids: users.iter().map(|user| user.user_id.as_uuid()).collect(),
            versions: users.iter().map(|user| user.version).collect(),
            changed_at: users.iter().map(|user| user.changed_at).collect(),
            erased: users.iter().map(|user| user.erased).collect(),
        }
    }
}
