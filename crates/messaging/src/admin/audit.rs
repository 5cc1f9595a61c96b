//! What operators did. Each row is written in the transaction of the change that it is about.

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

/// Something that an operator does and that is not about a parked event.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// `publish`, `publish_again`, `announce`, `replace_queue` or `unbind`.
    pub verb: &'a str,
    /// The event, where there is one.
    pub event_id: Option<Uuid>,
    /// Its routing key; empty where there is no event.
    pub routing_key: &'a str,
    /// What it is about.
    pub detail: &'a str,
}

/// One thing that an operator did.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// When it was done.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub person: String,
    /// That of a [`Deed`]; of a parked event `replay`, `discard`, `undo` or `show_payload`.
    pub verb: String,
    /// The reason that the person gave.
    pub why: Option<String>,
    /// The event, where there is one.
    pub event_id: Option<Uuid>,
    /// Its routing key; empty where there is no event.
    pub routing_key: String,
    /// The state of a parked event before; otherwise empty.
    pub state: String,
    /// The cause of a parked event before; otherwise empty.
    pub kind: String,
    /// What it is about, where it is not about a parked event.
    pub detail: Option<String>,
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
        "select at, person, verb, why, event_id, routing_key, state, kind, detail from operator_audit
         where ($1::uuid is null or event_id = $1) and ($2::timestamptz is null or at >= $2)
         order by id desc limit $3",
        filter.event_id,
        filter.since,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Records a deed. The caller begins the transaction and does the deed in it.
pub async fn record(
    connection: &mut PgConnection,
    actor: Actor<'_>,
    deed: &Deed<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into operator_audit (person, verb, why, event_id, routing_key, state, kind, detail)
         values ($1, $2, $3, $4, $5, '', '', $6)",
        actor.person,
        deed.verb,
        actor.why,
        deed.event_id,
        deed.routing_key,
        deed.detail
    )
    .execute(connection)
    .await
    .map(drop)
}

/// A parked event as it was before an operator changed it or looked at it.
pub(super) struct Before {
    pub(super) event_id: Uuid,
    pub(super) routing_key: String,
    pub(super) state: String,
    pub(super) kind: String,
}

/// Records what an operator does with parked events.
pub(super) async fn record_parked(
    connection: &mut PgConnection,
    actor: Actor<'_>,
    verb: &str,
    events: &[Before],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
    let texts = |of: fn(&Before) -> &String| events.iter().map(of).cloned().collect::<Vec<_>>();
    sqlx::query!(
        "insert into operator_audit (person, verb, why, event_id, routing_key, state, kind)
         select $1, $2, $3, * from unnest($4::uuid[], $5::text[], $6::text[], $7::text[])",
        actor.person,
        verb,
        actor.why,
        &ids,
        &texts(|event| &event.routing_key),
        &texts(|event| &event.state),
        &texts(|event| &event.kind)
    )
    .execute(connection)
    .await
    .map(drop)
}
