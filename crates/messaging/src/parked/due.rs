//! Claims the parked events that are due, and records what became of them.

use super::{Disposition, Tries, without_nul};
use chrono::{DateTime, Utc};
use events::{EventId, RawMessage, WaitsFor};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// How long no other process tries an event that is being tried. When the process crashes, the event is tried again
/// after this time.
const LEASE: Duration = Duration::from_secs(30);

/// A parked event that is due.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) event_id: EventId,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) message_id: Option<String>,
    pub(crate) app_id: Option<String>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) body: Vec<u8>,
    /// A person had it replayed.
    pub(crate) confirmed: bool,
    pub(crate) kind: String,
    /// How often it was tried, this try included, and for how long.
    pub(crate) tries: Tries,
    /// Until then no other process tries it.
    lease: DateTime<Utc>,
}

impl Due {
    pub(crate) fn raw(&self) -> RawMessage<'_> {
        RawMessage {
            exchange: &self.exchange,
            routing_key: &self.routing_key,
            message_id: self.message_id.as_deref(),
            app_id: self.app_id.as_deref(),
            body: &self.body,
        }
    }
}

/// Claims events that are due: first those that were released, in the order of the events' own times; then those that
/// have failed, and those that were parked just now, because their release may have been missed; then those that wait
/// longer, which may be many and never succeed. The claim counts as an attempt and is committed before the handler runs,
/// so that an event that crashes the process does so a limited number of times.
pub(crate) async fn claim_due(
    connection: &mut PgConnection,
    queue: &str,
    limit: i64,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"with first as (
               select event_id from parked_event
               where released and state = 'waiting' and queue = $1 and due_at <= now()
               order by occurred_at, event_id limit $2
               for update skip locked),
           soon as (
               select event_id from parked_event
               where not released and state = 'waiting' and queue = $1 and due_at <= now()
                 and (waits_for is null or due_at - waiting_since < interval '5 seconds')
               order by due_at limit $2 - (select count(*) from first)
               for update skip locked),
           others as (
               select event_id from parked_event
               where not released and state = 'waiting' and queue = $1 and due_at <= now()
                 and waits_for is not null and due_at - waiting_since >= interval '5 seconds'
               order by due_at limit $2 - (select count(*) from first) - (select count(*) from soon)
               for update skip locked),
           claimed as (
               update parked_event
               set attempts = attempts + 1, last_at = now(), due_at = now() + make_interval(secs => $3)
               where event_id = any(array(select event_id from first union all select event_id from soon
                                          union all select event_id from others))
               returning event_id, exchange, routing_key, message_id, app_id, correlation_id, body, confirmed, kind,
                         attempts, released, waits_for, occurred_at, due_at,
                         extract(epoch from now() - waiting_since)::float8 as age)
           select event_id, exchange, routing_key, message_id, app_id, correlation_id, body, confirmed, kind, attempts,
                  age as "age!", due_at as "lease!"
           from claimed order by released desc, waits_for is not null, occurred_at, event_id"#,
        queue,
        limit,
        LEASE.as_secs_f64(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Due {
            event_id: row.event_id.into(),
            exchange: row.exchange,
            routing_key: row.routing_key,
            message_id: row.message_id,
            app_id: row.app_id,
            correlation_id: row.correlation_id,
            body: row.body,
            confirmed: row.confirmed,
            kind: row.kind,
            tries: Tries {
                attempts: row.attempts,
                age: Duration::try_from_secs_f64(row.age).unwrap_or_default(),
            },
            lease: row.lease,
        })
        .collect())
}

/// Undoes the claim of events that were not tried: the attempt does not count, and they are due.
pub(crate) async fn give_back(connection: &mut PgConnection, claimed: &[Due]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = claimed.iter().map(|due| due.event_id.as_uuid()).collect();
    let leases: Vec<DateTime<Utc>> = claimed.iter().map(|due| due.lease).collect();
    sqlx::query!(
        "update parked_event set attempts = attempts - 1, due_at = now()
         from unnest($1::uuid[], $2::timestamptz[]) as claimed (id, lease)
         where event_id = id and due_at = lease",
        &ids,
        &leases,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes the row of an event, in the transaction of its effect, and returns whether the inbox holds its id. `None`:
/// another process was faster.
pub(crate) async fn take(
    connection: &mut PgConnection,
    event_id: EventId,
) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar!(
        "delete from parked_event where event_id = $1 and state = 'waiting' returning admitted",
        event_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Records a failed try. An event that was released meanwhile stays due.
pub(crate) async fn postpone(
    connection: &mut PgConnection,
    due: &Due,
    disposition: &Disposition,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update parked_event
         set state = $2, kind = $3, reason = $4, waits_for = $5, attempts = $6, last_at = now(),
             released = $2 = 'waiting' and due_at < $8,
             due_at = case when $2 = 'waiting' and due_at < $8 then due_at else now() + make_interval(secs => $7) end
         where event_id = $1 and state = 'waiting'",
        due.event_id.as_uuid(),
        disposition.state(),
        disposition.kind,
        without_nul(&disposition.reason),
        disposition.waits_for.as_ref().map(WaitsFor::as_str),
        disposition.attempts,
        disposition.pause.map(|pause| pause.as_secs_f64()),
        due.lease,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the events due that wait for any of these keys, before all others, and returns whether there were some.
pub(crate) async fn release(
    connection: &mut PgConnection,
    keys: &[WaitsFor],
) -> sqlx::Result<bool> {
    let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
    let released = sqlx::query!(
        "update parked_event set due_at = now(), released = true where state = 'waiting' and waits_for = any($1)",
        &keys
    )
    .execute(connection)
    .await?;
    Ok(released.rows_affected() > 0)
}
