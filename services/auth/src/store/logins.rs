//! The table `users_login_failure`.

use sqlx::PgConnection;

/// For how many seconds every try for this address is refused; `None` when it may be tried.
///
/// # Errors
/// When the database refuses.
pub async fn locked_for(connection: &mut PgConnection, email_hash: &str) -> sqlx::Result<Option<u64>> {
    let seconds = sqlx::query_scalar!(
        r#"select ceil(extract(epoch from locked_until - now()))::bigint as "seconds!"
           from users_login_failure where email_hash = $1 and locked_until > now()"#,
        email_hash
    )
    .fetch_optional(connection)
    .await?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

/// Notes a failed try: from the fifth in a row the address is locked, for 1 s, doubling to 15 min.
///
/// # Errors
/// When the database refuses.
pub async fn failed(connection: &mut PgConnection, email_hash: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into users_login_failure as known (email_hash, failures) values ($1, 1)
         on conflict (email_hash) do update
         set failures = known.failures + 1,
             last_at = now(),
             locked_until = case when known.failures >= 4
                 then now() + least(interval '15 minutes', interval '1 second' * power(2, least(known.failures - 4, 12)))
             end",
        email_hash
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from users_login_failure where email_hash in (
             select email_hash from users_login_failure where last_at < now() - interval '1 day' limit 100)"
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the failures of an address.
///
/// # Errors
/// When the database refuses.
pub async fn succeeded(connection: &mut PgConnection, email_hash: &str) -> sqlx::Result<()> {
    sqlx::query!("delete from users_login_failure where email_hash = $1", email_hash)
        .execute(connection)
        .await?;
    Ok(())
}
