//! What became of events at a service: its inbox, and its parked events by what their bodies name.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// An event in the inbox of a service.
#[derive(Clone, Debug)]
pub struct InboxEntry {
    /// The id of the event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// When the service took it.
    pub received_at: DateTime<Utc>,
}

/// Returns those of the events that the inbox of this service holds. One that is parked may be in it, too.
pub async fn received(
    connection: &mut PgConnection,
    event_ids: &[Uuid],
) -> sqlx::Result<Vec<InboxEntry>> {
    sqlx::query_as!(
        InboxEntry,
        "select event_id, routing_key, received_at from inbox where event_id = any($1)",
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// A parked event: why, and since when.
#[derive(Clone, Debug)]
pub struct ParkedState {
    /// The id of the event.
    pub event_id: Uuid,
    /// `waiting` or `dead`.
    pub state: String,
    /// Its routing key.
    pub routing_key: String,
    /// The cause in one word.
    pub kind: String,
    /// What must arrive first.
    pub waits_for: Option<String>,
    /// The service that published it, where that could be read.
    pub source: Option<String>,
    /// The chain that it belongs to, where that could be read.
    pub correlation_id: Option<Uuid>,
    /// When it was parked.
    pub first_at: DateTime<Utc>,
    /// When it is tried again; `None` when dead.
    pub due_at: Option<DateTime<Utc>>,
}

/// Selects parked events.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Those with these ids.
    pub event_ids: Vec<Uuid>,
    /// Those whose bodies name any of these ids.
    pub ids: Vec<Uuid>,
    /// Those whose bodies name any of these e-mail addresses.
    pub emails: Vec<String>,
}

/// Returns the parked events of this service that `named` selects, the newest first, at most `limit`.
pub async fn parked_states(
    connection: &mut PgConnection,
    named: &Named,
    limit: i64,
) -> sqlx::Result<Vec<ParkedState>> {
    sqlx::query_as!(
        ParkedState,
        // A selection by id for each index.
        "select event_id, state, routing_key, kind, waits_for, source, correlation_id, first_at, due_at
         from parked_event
         where event_id = any(array(
             select event_id from parked_event where event_id = any($1)
             union select event_id from operator_mention where id = any($2)
             union select event_id from operator_mention
                   where id = any(array(select md5(lower(email))::uuid from unnest($3::text[]) as email))))
         order by first_at desc limit $4",
        &named.event_ids,
        &named.ids,
        &named.emails,
        limit
    )
    .fetch_all(connection)
    .await
}
