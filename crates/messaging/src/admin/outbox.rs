//! Events that are committed and not published yet.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// An event that is not published yet.
#[derive(Clone, Debug, Serialize)]
pub struct Unpublished {
    /// The id of the event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// The id of what it describes.
    pub aggregate_id: Uuid,
    /// The chain that it belongs to.
    pub correlation_id: Uuid,
    /// When the change was committed.
    pub created_at: DateTime<Utc>,
    /// When the broker last had no queue for it.
    pub unroutable_at: Option<DateTime<Utc>>,
}

/// Returns the events that are not published yet, the oldest first, at most `limit`.
pub async fn unpublished(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<Vec<Unpublished>> {
    sqlx::query_as!(
        Unpublished,
        "select event_id, routing_key, aggregate_id, correlation_id, created_at, unroutable_at
         from outbox where published_at is null order by created_at limit $1",
        limit
    )
    .fetch_all(connection)
    .await
}
