//! The table `users_budget`: what somebody may do a number of times in a while. Every function fails with the database's
//! error.

use sqlx::PgConnection;

/// A number of times in a while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    /// What is limited; part of the key of the row.
    pub purpose: &'static str,
    /// How often.
    pub most: i32,
    /// The while, in seconds. It begins with the first time.
    pub seconds: i32,
}

/// What one account or one address may do.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    /// The account or the address, as a digest.
    pub subject: String,
    /// What it may do.
    pub limit: Limit,
}

/// Counts once. Returns false when the budget is used up; then nothing is counted.
pub(crate) async fn spend(connection: &mut PgConnection, budget: &Budget) -> sqlx::Result<bool> {
    let counted = sqlx::query!(
        "insert into users_budget as known (subject, purpose, remaining, ends_at)
         values ($1, $2, $3 - 1, now() + make_interval(secs => $4))
         on conflict (subject, purpose) do update
         set remaining = case when known.ends_at > now() then known.remaining - 1 else excluded.remaining end,
             ends_at = case when known.ends_at > now() then known.ends_at else excluded.ends_at end
         where known.remaining > 0 or known.ends_at <= now()",
        budget.subject,
        budget.limit.purpose,
        budget.limit.most,
        f64::from(budget.limit.seconds),
    )
    .execute(connection)
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Takes back what was counted once.
pub(crate) async fn give_back(connection: &mut PgConnection, budget: &Budget) -> sqlx::Result<()> {
    sqlx::query!(
        "update users_budget set remaining = remaining + 1 where subject = $1 and purpose = $2 and remaining < $3",
        budget.subject,
        budget.limit.purpose,
        budget.limit.most,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns after how many seconds a budget that is used up is full again; `None` when something is left.
pub(crate) async fn full_in(
    connection: &mut PgConnection,
    budget: &Budget,
) -> sqlx::Result<Option<u64>> {
    let seconds = sqlx::query_scalar!(
        r#"select ceil(extract(epoch from ends_at - now()))::bigint as "seconds!" from users_budget
           where subject = $1 and purpose = $2 and remaining <= 0 and ends_at > now()"#,
        budget.subject,
        budget.limit.purpose,
    )
    .fetch_optional(connection)
    .await?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

/// Deletes one budget of a subject.
pub(crate) async fn forget(connection: &mut PgConnection, budget: &Budget) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from users_budget where subject = $1 and purpose = $2",
        budget.subject,
        budget.limit.purpose,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes budgets that are full again, at most `limit`, and returns how many there were. It leaves out rows that
/// somebody has locked.
pub(crate) async fn purge(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let purged = sqlx::query!(
        "delete from users_budget where ctid = any(array(
             select ctid from users_budget where ends_at < now() limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(purged.rows_affected())
}
