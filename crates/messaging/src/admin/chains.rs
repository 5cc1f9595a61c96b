//! Chains: the events that one request started, which have the same correlation id.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A chain, as one database shows it.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    /// The correlation id of its events.
    pub correlation_id: Uuid,
    /// When its first event was stored in this database.
    pub began_at: DateTime<Utc>,
}

/// Returns the chains that an id belongs to, the newest first, at most `limit`. The id is that of an aggregate
/// (such as a user), of an event, or of the chain itself. Of what was erased, only the deletion is found by the id of the
/// aggregate.
pub async fn chains_of(
    connection: &mut PgConnection,
    id: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Chain>> {
    sqlx::query_as!(
        Chain,
        // One part for each index: the tables may be large.
        r#"with event as (
               select correlation_id, created_at, envelope from outbox where event_id = $1
               union all
               select correlation_id, created_at, envelope from outbox
               where published_at is not null and envelope is not null and aggregate_id = $1
               union all
               select correlation_id, created_at, envelope from outbox
               where published_at is not null and correlation_id = $1
               union all
               select correlation_id, created_at, envelope from outbox
               where published_at is null and (aggregate_id = $1 or correlation_id = $1)
               union all
               select correlation_id, first_at, null from parked_event
               where event_id = $1 and correlation_id is not null
               union all
               select correlation_id, first_at, null from parked_event where correlation_id = $1)
           select correlation_id as "correlation_id!",
                  min(least(created_at, (envelope -> '_meta' ->> 'timestamp')::timestamptz)) as "began_at!"
           from event group by correlation_id order by 2 desc limit $2"#,
        id,
        limit
    )
    .fetch_all(connection)
    .await
}

/// An event of a chain, in its producer's outbox.
#[derive(Clone, Debug)]
pub struct ChainEvent {
    /// The id of the event.
    pub event_id: Uuid,
    /// Its routing key.
    pub routing_key: String,
    /// The event that caused it; `None` at the root of a chain, and when its text is gone.
    pub causation_id: Option<Uuid>,
    /// When the change was committed.
    pub created_at: DateTime<Utc>,
    /// When the broker confirmed it.
    pub published_at: Option<DateTime<Utc>>,
    /// When the broker last had no queue for it.
    pub unroutable_at: Option<DateTime<Utc>>,
    /// When the broker last refused it.
    pub refused_at: Option<DateTime<Utc>>,
    /// Whether its text is kept: it can be published again.
    pub has_text: bool,
    /// Whether it has no text and needs none: what it is about was erased, or a later event says the same.
    pub is_obsolete: bool,
}

/// Returns the events of a chain that this service produced.
pub async fn events_of_chain(
    connection: &mut PgConnection,
    correlation_id: Uuid,
) -> sqlx::Result<Vec<ChainEvent>> {
    sqlx::query_as!(
        ChainEvent,
        // One part for each index. An event that is published again was committed before its `created_at`, at the time
        // in its text.
        r#"select event_id as "event_id!", routing_key as "routing_key!",
                  (envelope -> '_meta' ->> 'causation_id')::uuid as causation_id,
                  least(created_at, (envelope -> '_meta' ->> 'timestamp')::timestamptz) as "created_at!",
                  published_at, unroutable_at, refused_at, envelope is not null as "has_text!",
                  envelope is null and (erased_at is not null or exists (
                      select from outbox as later
                      where later.published_at is not null and later.envelope is not null
                        and later.aggregate_id = event.aggregate_id and later.routing_key = event.routing_key
                        and later.aggregate_version >= event.aggregate_version)) as "is_obsolete!"
           from (select * from outbox where published_at is not null and correlation_id = $1
                 union all
                 select * from outbox where published_at is null and correlation_id = $1) as event"#,
        correlation_id
    )
    .fetch_all(connection)
    .await
}
