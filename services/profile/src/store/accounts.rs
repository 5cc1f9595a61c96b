//! The table `profiles_account`.

use crate::domain::Account;
use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// What is known of accounts, locked until the transaction ends.
///
/// # Errors
/// When the database refuses.
pub async fn lock(
    connection: &mut PgConnection,
    user_ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, Account>> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    let rows = sqlx::query!(
        "select user_id, version, changed_at, erased from profiles_account
         where user_id = any($1) order by user_id for update",
        &user_ids
    )
    .fetch_all(connection)
    .await?;
    let account = |version, changed_at, erased| Account {
        version,
        changed_at,
        erased,
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            (
                row.user_id.into(),
                account(row.version, row.changed_at, row.erased),
            )
        })
        .collect())
}

/// Takes note of accounts that nothing is known of, in one round trip. Tells which they were.
///
/// # Errors
/// When the database refuses.
pub async fn admit(
    connection: &mut PgConnection,
    accounts: &[(UserId, Account)],
) -> sqlx::Result<HashSet<UserId>> {
    let columns = Columns::of(accounts);
    let admitted = sqlx::query_scalar!(
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
    Ok(admitted.into_iter().map(UserId::from).collect())
}

/// Takes note of what accounts are now, in one round trip.
///
/// # Errors
/// When the database refuses.
pub async fn put(
    connection: &mut PgConnection,
    accounts: &[(UserId, Account)],
) -> sqlx::Result<()> {
    let columns = Columns::of(accounts);
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
    fn of(accounts: &[(UserId, Account)]) -> Self {
        Self {
            user_ids: accounts.iter().map(|(id, _)| id.as_uuid()).collect(),
            versions: accounts
                .iter()
                .map(|(_, account)| account.version)
                .collect(),
            changed_at: accounts
                .iter()
                .map(|(_, account)| account.changed_at)
                .collect(),
            erased: accounts.iter().map(|(_, account)| account.erased).collect(),
        }
    }
}
