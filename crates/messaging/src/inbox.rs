//! The inbox: the ids of the events that this service has taken. An id is written in the transaction of the effect.
//!
//! Every function fails with the database's error.

use events::{EventId, Meta};
use sqlx::PgConnection;
use std::collections::HashSet;

/// Records events as taken, and returns those that were not recorded before.
pub(crate) async fn first_time(
    connection: &mut PgConnection,
    events: &[&Meta],
) -> sqlx::Result<HashSet<EventId>> {
    // Sorted, so that two consumers with overlapping batches wait for each other instead of deadlocking.
    let mut sorted: Vec<&Meta> = events.to_vec();
    sorted.sort_by_key(|meta| meta.event_id);
    let ids: Vec<_> = sorted.iter().map(|meta| meta.event_id.as_uuid()).collect();
    let keys: Vec<_> = sorted.iter().map(|meta| meta.routing_key.clone()).collect();
    let first = sqlx::query_scalar!(
        "insert into inbox (event_id, routing_key)
         select * from unnest($1::uuid[], $2::text[])
         on conflict (event_id) do nothing
         returning event_id",
        &ids,
        &keys,
    )
    .fetch_all(connection)
    .await?;
    Ok(first.into_iter().map(EventId::from).collect())
}

/// Proves that the database takes a write. The caller undoes it.
pub(crate) async fn probe(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into inbox (event_id, routing_key) values ($1, 'probe')",
        EventId::new().as_uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
