//! The tables `users_login_failure`, `users_login_address` and `users_login_secret`. Every function fails with the
//! database's error.
//!
//! Every statement takes the row of the e-mail before the row of the address, so that no two of them deadlock.

use sqlx::PgConnection;

/// A try to log in: the e-mail and the address, each as a digest.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Of the e-mail in lower case, whether a user has it or not.
    pub email_hash: String,
    /// Of the client's address.
    pub address_hash: String,
}

/// Returns the key of the digests.
pub(crate) async fn secret(connection: &mut PgConnection) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("select secret from users_login_secret")
        .fetch_one(connection)
        .await
}

/// Counts a try as a failure before its password is checked, so that many tries at once are limited, too. Returns false when the try is refused; then roll the transaction back, so that it is not counted.
///
/// Failures of an e-mail halve every 15 min. From the fifth on, the e-mail is locked, for 1 s at first and up to 15 min.
/// A hundred tries of one address may fail in a minute.
pub(crate) async fn count(connection: &mut PgConnection, attempt: &Attempt) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"with email as (
               insert into users_login_failure as known (email_hash, failures) values ($1, 1)
               on conflict (email_hash) do update
               set (failures, last_at, locked_until) = (
                   select number, now(),
                          case when round(number) >= 5 then
                              now() + least(interval '15 minutes', interval '1 second' * power(2, least(round(number) - 5, 12)))
                          end
                   from (select 1 + known.failures
                                    * power(0.5, greatest(extract(epoch from now() - known.last_at), 0)::float8 / 900))
                        as faded (number))
               where known.locked_until is null or known.locked_until <= now()
               returning true),
           address as (
               insert into users_login_address as known (address_hash, failures)
               select $2, 1 where exists (select from email)
               on conflict (address_hash) do update
               set failures = case when known.since > now() - interval '1 minute' then known.failures + 1 else 1 end,
                   since = case when known.since > now() - interval '1 minute' then known.since else now() end
               where known.failures < 100 or known.since <= now() - interval '1 minute'
               returning true)
           select exists (select from address) as "counted!""#,
        attempt.email_hash,
        attempt.address_hash,
    )
    .fetch_one(connection)
    .await
}

/// Returns for how many seconds such a try is refused; `None` when it is allowed.
pub(crate) async fn locked_for(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<Option<u64>> {
    let seconds = sqlx::query_scalar!(
        r#"select ceil(extract(epoch from max(until) - now()))::bigint as "seconds"
           from (select locked_until from users_login_failure where email_hash = $1
                 union all
                 select since + interval '1 minute' from users_login_address where address_hash = $2 and failures >= 100)
             as lock (until)
           where until > now()"#,
        attempt.email_hash,
        attempt.address_hash,
    )
    .fetch_one(connection)
    .await?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

/// Deletes the failures of an e-mail, and takes this try back from those of the address. The others of the address stay,
/// because an attacker may log in as a user of their own.
pub(crate) async fn succeeded(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    forget(connection, &attempt.email_hash).await?;
    take_back_from_address(connection, attempt).await
}

/// Takes back a try whose password was not checked.
pub(crate) async fn take_back(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_login_failure set failures = greatest(failures - 1, 0), locked_until = null where email_hash = $1",
        attempt.email_hash
    )
    .execute(&mut *connection)
    .await?;
    take_back_from_address(connection, attempt).await
}

async fn take_back_from_address(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_login_address set failures = failures - 1 where address_hash = $1 and failures > 0",
        attempt.address_hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the failures of an e-mail.
pub(crate) async fn forget(connection: &mut PgConnection, email_hash: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_login_failure where email_hash = $1",
        email_hash
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes failures that are older than a day, at most `limit` of each table, and returns how many there were. It leaves
/// out rows that a try has locked.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
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
