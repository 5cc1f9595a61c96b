//! The tables `users_login_client` and `users_login_secret`. Every function fails with the database's error.

use super::budgets::{self, Budget};
use sqlx::PgConnection;

/// A try to log in.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// The digest of the e-mail in lower case, whether a user has it or not.
    pub account: String,
    /// The digest of what tries.
    pub client: String,
    /// What limits a client that the account does not know, besides its own failures.
    pub budgets: Vec<Budget>,
}

impl Attempt {
    /// Whether the account does not know the client.
    pub(crate) fn is_by_a_stranger(&self) -> bool {
        !self.budgets.is_empty()
    }
}

/// Returns the key of the digests.
pub(crate) async fn secret(connection: &mut PgConnection) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("select secret from users_login_secret")
        .fetch_one(connection)
        .await
}

/// Counts a try as a failure before its password is checked, so that many tries at once are limited, too. Returns false
/// when the try is refused; then roll the transaction back, so that it is not counted.
///
/// The failures of a client halve every 15 min. From the fifth on, the client is locked, for 1 s at first and up to
/// 15 min.
///
/// The rows are locked in one order, the client's before those of the budgets, so that no two tries deadlock.
pub(crate) async fn count(connection: &mut PgConnection, attempt: &Attempt) -> sqlx::Result<bool> {
    let counted = sqlx::query!(
        "insert into users_login_client as known (account, client, failures) values ($1, $2, 1)
         on conflict (account, client) do update
         set (failures, last_at, locked_until) = (
             select number, now(),
                    case when round(number) >= 5 then
                        now() + least(interval '15 minutes', interval '1 second' * power(2, least(round(number) - 5, 12)))
                    end
             from (select 1 + known.failures
                              * power(0.5, greatest(extract(epoch from now() - known.last_at), 0)::float8 / 900))
                  as faded (number))
         where known.locked_until is null or known.locked_until <= now()",
        attempt.account,
        attempt.client,
    )
    .execute(&mut *connection)
    .await?;
    if counted.rows_affected() == 0 {
        return Ok(false);
    }
    for budget in &attempt.budgets {
        if !budgets::spend(connection, budget).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns for how many seconds such a try is refused; `None` when it is allowed.
pub(crate) async fn locked_for(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<Option<u64>> {
    let seconds = sqlx::query_scalar!(
        r#"select ceil(extract(epoch from locked_until - now()))::bigint as "seconds!" from users_login_client
           where account = $1 and client = $2 and locked_until > now()"#,
        attempt.account,
        attempt.client,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let mut longest = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    for budget in &attempt.budgets {
        longest = longest.max(budgets::full_in(connection, budget).await?);
    }
    Ok(longest)
}

/// Deletes the failures of the client, and takes this try back from the budgets. What others have used of the budgets
/// stays used, because an attacker may log in as a user of their own.
pub(crate) async fn succeeded(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_login_client where account = $1 and client = $2",
        attempt.account,
        attempt.client,
    )
    .execute(&mut *connection)
    .await?;
    give_budgets_back(connection, attempt).await
}

/// Takes back a try whose password was not checked.
pub(crate) async fn take_back(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_login_client set failures = greatest(failures - 1, 0), locked_until = null
         where account = $1 and client = $2",
        attempt.account,
        attempt.client,
    )
    .execute(&mut *connection)
    .await?;
    give_budgets_back(connection, attempt).await
}

async fn give_budgets_back(connection: &mut PgConnection, attempt: &Attempt) -> sqlx::Result<()> {
    for budget in &attempt.budgets {
        budgets::give_back(connection, budget).await?;
    }
    Ok(())
}

/// Deletes the failures of an account.
pub(crate) async fn forget(connection: &mut PgConnection, account: &str) -> sqlx::Result<()> {
    sqlx::query!("delete from users_login_client where account = $1", account)
        .execute(&mut *connection)
        .await?;
    // Where a process of the version before counts.
    sqlx::query!(
        "delete from users_login_failure where email_hash = $1",
        account
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes failures that have faded, at most `limit` of each table, and returns how many there were. It leaves out rows
/// that a try has locked.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let clients = sqlx::query!(
        "delete from users_login_client where ctid = any(array(
             select ctid from users_login_client where last_at < now() - interval '3 hours'
             limit $1 for update skip locked))",
        limit
    )
    .execute(&mut *connection)
    .await?;
    Ok(clients
        .rows_affected()
        .max(purge_version_before(connection, limit).await?))
}

/// Deletes what processes of the version before counted a day ago.
async fn purge_version_before(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let emails = sqlx::query!(
        "delete from users_login_failure where email_hash = any(array(
             select email_hash from users_login_failure where last_at < now() - interval '1 day'
             limit $1 for update skip locked))",
        limit
    )
    .execute(&mut *connection)
    .await?;
    let addresses = sqlx::query!(
        "delete from users_login_address where address_hash = any(array(
             select address_hash from users_login_address where since < now() - interval '1 day'
             limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(emails.rows_affected().max(addresses.rows_affected()))
}
