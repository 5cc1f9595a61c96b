//! Parked events: reading them, having them handled again, discarding them.

use crate::parked::Parked;
use sqlx::PgConnection;
use uuid::Uuid;

/// Selects parked events. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub struct ParkedFilter {
    /// `waiting` or `dead`.
    pub state: Option<String>,
    /// The routing key that the event was published with.
    pub routing_key: Option<String>,
    /// The cause in one word.
    pub kind: Option<String>,
    /// The ids of the events.
    pub event_ids: Option<Vec<Uuid>>,
}

/// Returns the parked events that `filter` selects, the oldest first, at most `limit`.
pub async fn parked(
    connection: &mut PgConnection,
    filter: &ParkedFilter,
    limit: i64,
) -> sqlx::Result<Vec<Parked>> {
    sqlx::query_as!(
        Parked,
        "select event_id, state, routing_key, kind, reason, waits_for, attempts, deliveries, due_at, first_at, last_at
         from parked_event
         where ($1::text is null or state = $1)
           and ($2::text is null or routing_key = $2)
           and ($3::text is null or kind = $3)
           and ($4::uuid[] is null or event_id = any($4))
         order by first_at limit $5",
        filter.state,
        filter.routing_key,
        filter.kind,
        filter.event_ids.as_deref(),
        limit
    )
    .fetch_all(connection)
    .await
}

/// Returns the body of a parked event, byte for byte.
pub async fn body(connection: &mut PgConnection, event_id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select body from parked_event where event_id = $1",
        event_id
    )
    .fetch_optional(connection)
    .await
}

/// Makes parked events due now, before all others and with all their attempts; they keep their ids. Their handlers see
/// that a person decided so ([`Message::confirmed`](crate::Message::confirmed)). The consumer finds them within a
/// second. Returns the ids of those that it changed: an erased event has no body left to handle.
pub async fn replay(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "update parked_event
         set state = 'waiting', attempts = 0, due_at = now(), released = true, waiting_since = now(), confirmed = true
         where event_id = any($1) and kind <> 'erased'
         returning event_id",
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// Deletes parked events: they are never handled. Returns the ids of those that it deleted.
pub async fn discard(connection: &mut PgConnection, event_ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "delete from parked_event where event_id = any($1) returning event_id",
        event_ids
    )
    .fetch_all(connection)
    .await
}
