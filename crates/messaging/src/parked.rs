//! Parked events: the table of the events that were not handled, each with the reason.
//!
//! The consumer retries `waiting` events: after a pause that grows (a transient failure, five tries), or when the
//! event arrives that they wait for. `dead` events need a person. When the inbox holds the id of a parked event, the
//! row in this table owns the event: the inbox stops every other copy, and the transaction of the effect deletes the
//! row.
//!
//! Every function fails with the database's error.

use crate::{
    Failure,
    failure::{Recovery, chain},
};
use chrono::{DateTime, Utc};
use events::{EventId, RawMessage, WaitsFor};
use rand::RngExt as _;
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// How many tries a transient failure gets before the event is dead.
pub const MAX_ATTEMPTS: i32 = 5;
/// How long no other process tries an event that is being tried. When the process crashes, the event is tried again
/// after this time.
const LEASE: Duration = Duration::from_secs(30);
/// When a waiting event is tried for the first time without a release: the transaction that released it may have
/// been open while the event was parked, and then it did not see the row.
const RECHECK: Duration = Duration::from_secs(1);
/// The pause between further tries of a waiting event.
const RECHECK_AGAIN: Duration = Duration::from_secs(30);

/// Why an event is parked, and what happens to it next.
#[derive(Clone, Debug)]
pub(crate) struct Disposition {
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
    pub(crate) waits_for: Option<WaitsFor>,
    /// The pause before the next try; `None` is dead.
    pub(crate) pause: Option<Duration>,
}

impl Disposition {
    pub(crate) fn dead(kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
            waits_for: None,
            pause: None,
        }
    }

    /// The disposition of an event that failed at its `attempts`-th try.
    pub(crate) fn of(failure: &Failure, attempts: i32) -> Self {
        let pause = match failure.recovery() {
            Recovery::DeadLetter => None,
            Recovery::Pause | Recovery::RetryNow | Recovery::RetryLater => {
                (attempts < MAX_ATTEMPTS).then(|| pause(attempts))
            }
        };
        Self {
            kind: failure.kind(),
            reason: chain(failure),
            waits_for: None,
            pause,
        }
    }

    /// The disposition of an event that needs something that has not arrived.
    pub(crate) fn waits(key: WaitsFor, first_time: bool) -> Self {
        let pause = if first_time { RECHECK } else { RECHECK_AGAIN };
        Self {
            kind: "waits",
            reason: format!("waits for {key}"),
            waits_for: Some(key),
            pause: Some(pause),
        }
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.pause.is_some() {
            "waiting"
        } else {
            "dead"
        }
    }
}

/// 1, 4, 16, 64 s after the first, second, third, fourth try, each shortened at random by up to a fifth.
fn pause(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(3);
    Duration::from_secs(4_u64.pow(exponent)).mul_f64(rand::rng().random_range(0.8..=1.0))
}

/// Parks a message. A message that is parked already is only counted.
pub(crate) async fn park(
    connection: &mut PgConnection,
    event_id: EventId,
    raw: &RawMessage<'_>,
    origin: Origin<'_>,
    disposition: &Disposition,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, message_id, correlation_id, body,
                                   admitted, kind, reason, waits_for, attempts, due_at, app_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, now() + make_interval(secs => $13), $14)
         on conflict (event_id) do update set deliveries = parked_event.deliveries + 1, last_at = now()",
        event_id.as_uuid(),
        disposition.state(),
        origin.queue,
        raw.exchange,
        // PostgreSQL's text has no NUL; AMQP's keys may.
        raw.routing_key.replace('\0', "\u{fffd}"),
        raw.message_id.map(|id| id.replace('\0', "\u{fffd}")),
        origin.correlation_id,
        raw.body,
        origin.in_inbox,
        disposition.kind,
        disposition.reason.replace('\0', "\u{fffd}"),
        disposition.waits_for.as_ref().map(WaitsFor::as_str),
        disposition.pause.map(|pause| pause.as_secs_f64()),
        raw.app_id.map(|id| id.replace('\0', "\u{fffd}")),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The queue of a parked message, and its record in the inbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) queue: &'a str,
    pub(crate) correlation_id: Option<Uuid>,
    /// The inbox holds its id, recorded in the same transaction.
    pub(crate) in_inbox: bool,
}

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
    pub(crate) attempts: i32,
    /// Until then no other process tries it.
    pub(crate) lease: DateTime<Utc>,
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

/// Claims events that are due, the longest due first. The claim counts as an attempt and is committed before the
/// handler runs, so that an event that crashes the process does so a limited number of times.
pub(crate) async fn claim_due(
    connection: &mut PgConnection,
    queue: &str,
    limit: i64,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"update parked_event set attempts = attempts + 1, last_at = now(), due_at = now() + make_interval(secs => $3)
         where event_id in (
             select event_id from parked_event
             where state = 'waiting' and queue = $1 and due_at <= now()
             order by due_at limit $2
             for update skip locked)
         returning event_id, exchange, routing_key, message_id, app_id, correlation_id, body, confirmed, attempts,
             due_at as "lease!""#,
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
            attempts: row.attempts,
            lease: row.lease,
        })
        .collect())
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
    attempts: i32,
    disposition: &Disposition,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update parked_event
         set state = $2, kind = $3, reason = $4, waits_for = $5, attempts = $6, last_at = now(),
             due_at = case when $2 = 'waiting' and due_at < $8 then due_at else now() + make_interval(secs => $7) end
         where event_id = $1 and state = 'waiting'",
        due.event_id.as_uuid(),
        disposition.state(),
        disposition.kind,
        disposition.reason.replace('\0', "\u{fffd}"),
        disposition.waits_for.as_ref().map(WaitsFor::as_str),
        attempts,
        disposition.pause.map(|pause| pause.as_secs_f64()),
        due.lease,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the events due that wait for any of these keys, and returns whether there were some.
pub(crate) async fn release(
    connection: &mut PgConnection,
    keys: &[WaitsFor],
) -> sqlx::Result<bool> {
    let keys: Vec<String> = keys.iter().map(|key| key.as_str().to_owned()).collect();
    let released = sqlx::query!(
        "update parked_event set due_at = now() where state = 'waiting' and waits_for = any($1)",
        &keys
    )
    .execute(connection)
    .await?;
    Ok(released.rows_affected() > 0)
}

/// Deletes the bodies of parked events that name any of these ids. The rows stay, as dead, so that an operator finds
/// them. Events that wait for another event are released instead, because their handler finds nothing to do any more.
/// Returns whether there were some of those.
pub(crate) async fn blank(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<bool> {
    let released = sqlx::query_scalar!(
        r#"with named as (
               select event_id, state = 'waiting' and waits_for is not null as waits from parked_event
               where exists (select from unnest($1::uuid[]) as id
                             where position(convert_to(id::text, 'UTF8') in body) > 0)),
           released as (
               update parked_event set due_at = now() from named
               where parked_event.event_id = named.event_id and waits returning true),
           blanked as (
               update parked_event
               set state = 'dead', kind = 'erased', reason = 'what it was about has been erased', body = '', due_at = null
               from named where parked_event.event_id = named.event_id and not waits)
           select exists (select from released) as "released!""#,
        ids
    )
    .fetch_one(connection)
    .await?;
    Ok(released)
}

/// A parked event, without its body.
#[derive(Clone, Debug, Serialize)]
pub struct Parked {
    /// Its identity.
    pub event_id: Uuid,
    /// `waiting` or `dead`.
    pub state: String,
    /// Its routing key.
    pub routing_key: String,
    /// The cause in one word.
    pub kind: String,
    /// The cause, with its chain of errors. May quote what was sent.
    pub reason: String,
    /// The key of what must arrive first.
    pub waits_for: Option<String>,
    /// How often handling was tried since it was parked or replayed.
    pub attempts: i32,
    /// How often the message was delivered.
    pub deliveries: i32,
    /// When it is tried again.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was parked.
    pub first_at: DateTime<Utc>,
    /// When it was last delivered or tried.
    pub last_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_failure_is_tried_five_times_further_and_further_apart() {
        let failure = Failure::Panic("no".into());
        let pauses: Vec<_> = (1..=5)
            .map(|attempts| Disposition::of(&failure, attempts).pause)
            .collect();
        for (pause, most) in pauses.iter().zip([1, 4, 16, 64]) {
            let pause = pause.expect("tried again");
            assert!(
                pause <= Duration::from_secs(most)
                    && pause >= Duration::from_secs(most).mul_f64(0.79)
            );
        }
        assert_eq!(pauses[4], None, "dead after the fifth");
    }

    #[test]
    fn a_rejection_has_no_second_try() {
        assert_eq!(
            Disposition::of(&Failure::Reject("no".into()), 1).state(),
            "dead"
        );
    }
}
