//! The table `profiles_account`: one row for each user. Every function fails with the database's error.

use crate::domain::{Stamp, Stamps, UserState};
use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::{PgConnection, types::Json};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Returns the recorded states of users, and locks them until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    user_ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, UserState>> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        r#"select user_id, version, changed_at, erased, stamps as "stamps: Json<Stamps>",
                  coalesce(role, case
                      when erased then null
                      when exists (select from profiles_student as own where own.user_id = known.user_id) then 'student'
                      when exists (select from profiles_encadrant as own where own.user_id = known.user_id)
                      then 'encadrant' end) as role
           from profiles_account as known
           where user_id = any($1) order by user_id for update of known"#,
        &user_ids
    )
    .fetch_all(connection)
    .await?;
    let states = rows.into_iter().map(|row| UserState {
        user_id: row.user_id.into(),
        version: row.version,
        changed_at: row.changed_at,
        erased: row.erased,
        role: row.role.and_then(|role| role.parse().ok()),
        stamps: row
            .stamps
            .map_or_else(|| ordinary(row.version), |Json(stamps)| stamps),
    });
    Ok(states.map(|state| (state.user_id, state)).collect())
}

/// What is recorded about a user besides the profiles.
#[derive(Debug)]
pub(crate) struct Record {
    pub role: Option<String>,
    pub version: i64,
    pub changed_at: DateTime<Utc>,
}

/// Returns what is recorded about a user besides the profiles.
pub(crate) async fn record(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Record>> {
    sqlx::query_as!(
        Record,
        "select role, version, changed_at from profiles_account where user_id = $1 and not erased",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Records users that are not recorded, in one round trip, and returns which they were.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    users: &[UserState],
) -> sqlx::Result<HashSet<UserId>> {
    let columns = Columns::of(users);
    let recorded = sqlx::query_scalar!(
        "insert into profiles_account (user_id, version, changed_at, erased, stamps, role)
         select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::jsonb[], $6::text[])
         on conflict (user_id) do nothing
         returning user_id",
        &columns.user_ids,
        &columns.versions,
        &columns.changed_at,
        &columns.erased,
        &columns.stamps as &[Option<Json<Stamps>>],
        &columns.roles as &[Option<String>],
    )
    .fetch_all(connection)
    .await?;
    Ok(recorded.into_iter().map(UserId::from).collect())
}

/// Records the states of users, in one round trip.
pub(crate) async fn put(connection: &mut PgConnection, users: &[UserState]) -> sqlx::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(users);
    sqlx::query!(
        "insert into profiles_account as known (user_id, version, changed_at, erased, stamps, role)
         select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::jsonb[], $6::text[])
         on conflict (user_id) do update
         set version = excluded.version, changed_at = excluded.changed_at, erased = excluded.erased,
             stamps = excluded.stamps, role = excluded.role",
        &columns.user_ids,
        &columns.versions,
        &columns.changed_at,
        &columns.erased,
        &columns.stamps as &[Option<Json<Stamps>>],
        &columns.roles as &[Option<String>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Records users who have a profile and are not recorded, and returns whether there were some. A process of a version
/// that did not keep the table may have made their profiles while the table was filled.
pub(crate) async fn record_profiles(
    connection: &mut PgConnection,
    user_ids: &[UserId],
) -> sqlx::Result<bool> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let recorded = sqlx::query!(
        "insert into profiles_account (user_id, version, changed_at)
         select user_id, version, created_at from profiles_student where user_id = any($1)
         union all
         select user_id, version, created_at from profiles_encadrant where user_id = any($1)
         order by user_id
         on conflict (user_id) do nothing",
        &user_ids
    )
    .execute(connection)
    .await?;
    Ok(recorded.rows_affected() > 0)
}

/// The stamps of a user whom a publisher describes that counts versions and says all fields: they are not stored.
fn ordinary(version: i64) -> Stamps {
    Stamps::all(Stamp::Version(version))
}

struct Columns {
    user_ids: Vec<Uuid>,
    versions: Vec<i64>,
    changed_at: Vec<DateTime<Utc>>,
    erased: Vec<bool>,
    stamps: Vec<Option<Json<Stamps>>>,
    roles: Vec<Option<String>>,
}

impl Columns {
    fn of(users: &[UserState]) -> Self {
        let stamps =
            |user: &UserState| (user.stamps != ordinary(user.version)).then_some(Json(user.stamps));
        Self {
            user_ids: users.iter().map(|user| user.user_id.as_uuid()).collect(),
            versions: users.iter().map(|user| user.version).collect(),
            changed_at: users.iter().map(|user| user.changed_at).collect(),
            erased: users.iter().map(|user| user.erased).collect(),
            stamps: users.iter().map(stamps).collect(),
            roles: users
                .iter()
                .map(|user| user.role.map(|role| role.to_string()))
                .collect(),
        }
    }
}
