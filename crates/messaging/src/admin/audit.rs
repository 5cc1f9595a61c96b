//! What operators did with parked events. The functions of [`parked`](mod@super::parked) write the rows, each in the
//! statement of its change.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// Who changes an event or looks at its payload, and why.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The person's name or login.
    pub person: &'a str,
    /// The reason that the person gave.
    pub why: Option<&'a str>,
}

/// One thing that an operator did with one event.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// When it was done.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub person: String,
    /// `replay`, `discard`, `undo` or `show_payload`.
    pub verb: String,
    /// The reason that the person gave.
    pub why: Option<String>,
    /// The event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// Its state before.
    pub state: String,
    /// Its cause before.
    pub kind: String,
}

/// Selects audit rows. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// What was done with this event.
    pub event_id: Option<Uuid>,
    /// What was done since.
    pub since: Option<DateTime<Utc>>,
}

/// Returns the audit rows that `filter` selects, the newest first, at most `limit`.
pub async fn audit(
    connection: &mut PgConnection,
    filter: &AuditFilter,
    limit: i64,
) -> sqlx::Result<Vec<AuditRow>> {
    sqlx::query_as!(
        AuditRow,
        "select at, person, verb, why, event_id, routing_key, state, kind from operator_audit
         where ($1::uuid is null or event_id = $1) and ($2::timestamptz is null or at >= $2)
         order by id desc limit $3",
        filter.event_id,
        filter.since,
        limit
    )
    .fetch_all(connection)
    .await
}
