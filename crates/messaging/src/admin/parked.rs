//! Parked events: reading them, having them handled again, discarding them and bringing them back. Each change and its
//! audit row are one transaction.

use super::{
    Actor,
    audit::{self, Before},
};
use crate::parked::Parked;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction};
use uuid::Uuid;

/// Selects parked events. A field that is `None` selects all, but for discarded events: those are found by their state
/// or by their ids.
#[derive(Clone, Debug, Default)]
pub struct ParkedFilter {
    /// `waiting`, `dead` or `discarded`.
    pub state: Option<String>,
    /// The routing key that the event was published with.
    pub routing_key: Option<String>,
    /// The cause in one word.
    pub kind: Option<String>,
    /// Events that were parked since.
    pub since: Option<DateTime<Utc>>,
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
        r#"select event_id, state, routing_key, kind, reason, source, waits_for, attempts, deliveries, due_at, first_at,
                  last_at, waiting_since, discarded_at, body = '' as "is_without_body!"
           from parked_event
           where (state = $1 or $1::text is null and (state <> 'discarded' or $4::uuid[] is not null))
             and ($2::text is null or routing_key = $2)
             and ($3::text is null or kind = $3)
             and ($4::uuid[] is null or event_id = any($4))
             and ($5::timestamptz is null or first_at >= $5)
           order by first_at limit $6"#,
        filter.state,
        filter.routing_key,
        filter.kind,
        filter.event_ids.as_deref(),
        filter.since,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Returns the body of a parked event, byte for byte. Its caller masks it: [`unmasked`] returns what a person reads.
pub async fn body(connection: &mut PgConnection, event_id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "select body from parked_event where event_id = $1",
        event_id
    )
    .fetch_optional(connection)
    .await
}

/// Records that a person looks at the payload of an event, and returns its body. `None`: it is not parked.
pub async fn unmasked(
    connection: &mut PgConnection,
    event_id: Uuid,
    actor: Actor<'_>,
) -> sqlx::Result<Option<Vec<u8>>> {
    let mut transaction = connection.begin().await?;
    let parked = sqlx::query_as!(
        Before,
        "select event_id, routing_key, state, kind from parked_event where event_id = $1",
        event_id
    )
    .fetch_all(&mut *transaction)
    .await?;
    audit::record_parked(&mut transaction, actor, "show_payload", &parked).await?;
    let body = body(&mut transaction, event_id).await?;
    transaction.commit().await?;
    Ok(body)
}

/// Makes parked events due now, before all others and with all their attempts; they keep their ids. Their handlers see
/// that a person decided so ([`Message::confirmed`](crate::Message::confirmed)). The consumer finds them within a
/// second. Returns the ids of those that it changed: not of events without a body, and not of discarded ones.
pub async fn replay(
    connection: &mut PgConnection,
    event_ids: &[Uuid],
    actor: Actor<'_>,
) -> sqlx::Result<Vec<Uuid>> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query_as!(
        Before,
        r#"with before as (
               select event_id, state, kind from parked_event
               where event_id = any($1) and kind <> 'erased' and state <> 'discarded'
               order by event_id for update)
           update parked_event p
           set state = 'waiting', attempts = 0, due_at = now(), released = true, waiting_since = now(),
               confirmed = true
           from before where p.event_id = before.event_id
           returning p.event_id, p.routing_key, before.state, before.kind"#,
        event_ids
    )
    .fetch_all(&mut *transaction)
    .await?;
    commit_recorded(transaction, actor, "replay", changed).await
}

/// Discards parked events: they are not handled. [`undo`] brings them back, for as long as they have their bodies: seven
/// days. Returns the ids of those that it changed.
pub async fn discard(
    connection: &mut PgConnection,
    event_ids: &[Uuid],
    actor: Actor<'_>,
) -> sqlx::Result<Vec<Uuid>> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query_as!(
        Before,
        r#"with before as (
               select event_id, state, kind from parked_event
               where event_id = any($1) and state <> 'discarded'
               order by event_id for update)
           update parked_event p
           set state = 'discarded', discarded_at = now(), due_at = null, released = false
           from before where p.event_id = before.event_id
           returning p.event_id, p.routing_key, before.state, before.kind"#,
        event_ids
    )
    .fetch_all(&mut *transaction)
    .await?;
    commit_recorded(transaction, actor, "discard", changed).await
}

/// Brings discarded events back into the state that they had: dead ones are dead again, waiting ones are tried at once.
/// Returns the ids of those that it changed: an event whose body is gone stays discarded.
pub async fn undo(
    connection: &mut PgConnection,
    event_ids: &[Uuid],
    actor: Actor<'_>,
) -> sqlx::Result<Vec<Uuid>> {
    let mut transaction = connection.begin().await?;
    let changed = sqlx::query_as!(
        Before,
        r#"with before as (
               select event_id, kind,
                      coalesce((select a.state from operator_audit a
                                where a.event_id = p.event_id and a.verb = 'discard'
                                order by a.id desc limit 1), 'dead') as earlier
               from parked_event p
               where event_id = any($1) and state = 'discarded' and kind <> 'erased'
               order by event_id for update)
           update parked_event p
           set state = earlier, discarded_at = null, due_at = case when earlier = 'waiting' then now() end
           from before where p.event_id = before.event_id
           returning p.event_id, p.routing_key, 'discarded' as "state!", before.kind"#,
        event_ids
    )
    .fetch_all(&mut *transaction)
    .await?;
    commit_recorded(transaction, actor, "undo", changed).await
}

/// Records what was done with these events, and commits it. Returns their ids.
async fn commit_recorded(
    mut transaction: Transaction<'_, Postgres>,
    actor: Actor<'_>,
    verb: &str,
    events: Vec<Before>,
) -> sqlx::Result<Vec<Uuid>> {
    audit::record_parked(&mut transaction, actor, verb, &events).await?;
    transaction.commit().await?;
    Ok(events.into_iter().map(|event| event.event_id).collect())
}

/// What became of an event that was replayed and still has a row.
#[derive(Clone, Debug)]
pub struct Retried {
    /// The event.
    pub event_id: Uuid,
    /// `waiting`, `dead` or `discarded`.
    pub state: String,
    /// The cause in one word.
    pub kind: String,
    /// Whether the consumer has tried it since it was replayed.
    pub is_tried: bool,
}

/// Returns those of the replayed events that still have a row. The others are handled: the transaction of the effect
/// deletes the row.
pub async fn retried(
    connection: &mut PgConnection,
    event_ids: &[Uuid],
) -> sqlx::Result<Vec<Retried>> {
    sqlx::query_as!(
        Retried,
        r#"select event_id, state, kind, not released as "is_tried!" from parked_event where event_id = any($1)"#,
        event_ids
    )
    .fetch_all(connection)
    .await
}

/// Dead events whose bodies are deleted within a month, because no person has closed them for sixty days.
#[derive(Clone, Debug)]
pub struct Expiring {
    /// How many there are.
    pub events: i64,
    /// When the first body is deleted.
    pub first_at: Option<DateTime<Utc>>,
}

/// Returns what the purge will delete from events that died sixty days ago or earlier.
pub async fn expiring(connection: &mut PgConnection) -> sqlx::Result<Expiring> {
    sqlx::query_as!(
        Expiring,
        r#"select count(*) as "events!", min(last_at) + interval '90 days' as first_at from parked_event
           where state = 'dead' and kind not in ('erased', 'unknown_key') and last_at < now() - interval '60 days'"#
    )
    .fetch_one(connection)
    .await
}
