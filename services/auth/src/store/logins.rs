//! The tables `users_login_failure` and `users_login_address`. Every function fails with the database's error.

use sqlx::PgConnection;

/// A try to log in: the e-mail and the address, each as a digest.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Of the e-mail in lower case, whether a user has it or not.
    pub email_hash: String,
    /// Of the client's address.
    pub address_hash: String,
}

/// Returns for how many seconds such a try is refused; `None` when it is allowed. A hundred tries of one address may fail
/// in a minute.
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

/// Records a failed try. From the fifth in a row on, the e-mail is locked, for 1 s at first and up to 15 min.
pub(crate) async fn failed(connection: &mut PgConnection, attempt: &Attempt) -> sqlx::Result<()> {
    sqlx::query!(
        "with address as (
             insert into users_login_address as known (address_hash, failures) values ($2, 1)
             on conflict (address_hash) do update
             set failures = case when known.since > now() - interval '1 minute' then known.failures + 1 else 1 end,
                 since = case when known.since > now() - interval '1 minute' then known.since else now() end)
         insert into users_login_failure as known (email_hash, failures) values ($1, 1)
         on conflict (email_hash) do update
         set failures = known.failures + 1,
             last_at = now(),
             locked_until = case when known.failures >= 4
                 then now() + least(interval '15 minutes', interval '1 second' * power(2, least(known.failures - 4, 12)))
             end",
        attempt.email_hash,
        attempt.address_hash,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "with addresses as (
             delete from users_login_address where address_hash in (
                 select address_hash from users_login_address where since < now() - interval '1 day' limit 100))
         delete from users_login_failure where email_hash in (
             select email_hash from users_login_failure where last_at < now() - interval '1 day' limit 100)"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the failures of an e-mail. Those of the address stay, because an attacker may log in as a user of their
/// own.
pub(crate) async fn succeeded(
    connection: &mut PgConnection,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_login_failure where email_hash = $1",
        attempt.email_hash
    )
    .execute(connection)
    .await?;
    Ok(())
}
