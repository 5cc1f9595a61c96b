//! Announcements that an operator asks for.

use events::Event;
use sqlx::PgConnection;
use uuid::Uuid;

/// An aggregate to be announced again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The aggregate.
    pub aggregate_id: Uuid,
    /// The announced version is no lower than this one; 0 for the present one.
    pub at_least: i64,
}

/// Asks the service of this database to announce aggregates again. Its consumer process does so within seconds.
pub async fn announce(connection: &mut PgConnection, requests: &[Request]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = requests
        .iter()
        .map(|request| request.aggregate_id)
        .collect();
    let versions: Vec<i64> = requests.iter().map(|request| request.at_least).collect();
    sqlx::query!(
        "insert into announcement as asked (aggregate_id, at_least)
         select * from unnest($1::uuid[], $2::bigint[])
         on conflict (aggregate_id) do update set at_least = greatest(asked.at_least, excluded.at_least)",
        &ids,
        &versions,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Returns those of the aggregates about which the outbox of this database holds an event of the kind `E`.
pub async fn announced<E: Event>(
    connection: &mut PgConnection,
    aggregates: &[Uuid],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select distinct aggregate_id from outbox where aggregate_id = any($1) and routing_key = $2",
        aggregates,
        E::KEY
    )
    .fetch_all(connection)
    .await
}
