//! Parked events by state, cause, routing key and publisher: how many, and since when.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The most groups that are returned: a publisher may make up a routing key for each event.
const MOST: i64 = 2_000;

/// Parked events that have the same state, cause, routing key and publisher.
#[derive(Clone, Debug)]
pub struct ParkedGroup {
    /// `waiting` or `dead`.
    pub state: String,
    /// The cause in one word.
    pub kind: String,
    /// The routing key.
    pub routing_key: String,
    /// The service that published them, where that could be read.
    pub source: Option<String>,
    /// How many they are.
    pub events: i64,
    /// When the first of them was parked.
    pub oldest: DateTime<Utc>,
    /// When the next of them is tried.
    pub due_at: Option<DateTime<Utc>>,
}

/// Returns the groups, the largest first.
pub async fn parked_groups(connection: &mut PgConnection) -> sqlx::Result<Vec<ParkedGroup>> {
    sqlx::query_as!(
        ParkedGroup,
        r#"select state, kind, routing_key, source, count(*) as "events!", min(first_at) as "oldest!",
                  min(due_at) as due_at
           from parked_event group by state, kind, routing_key, source order by count(*) desc limit $1"#,
        MOST
    )
    .fetch_all(connection)
    .await
}
