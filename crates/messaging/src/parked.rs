//! Parked events: the one table that says what is not done, and why.
//!
//! `waiting` events are tried again by the consumer: after a pause that grows (a transient failure, five tries),
//! or when what they wait for arrives. `dead` events need a person. A parked event whose id stands in the
//! inbox is owned by its row here: another copy of it is swallowed, and the row goes in the transaction of the
//! effect.

use crate::{
    Failure,
    failure::{Recovery, chain},
};
use chrono::{DateTime, Utc};
use events::{EventId, RawMessage};
use rand::RngExt as _;
use serde::Serialize;
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// How often a transient failure is tried before the event is dead.
pub const MAX_ATTEMPTS: i32 = 5;
/// How long an event that is being tried is left alone by others; also how soon it is tried again when the
/// process dies over it.
const LEASE: Duration = Duration::from_secs(30);
/// How soon an event that waits for another is tried again, should its release have been missed: by a
/// transaction that was still open when the event was parked.
const RECHECK: Duration = Duration::from_secs(1);
/// The same, after the first time.
const RECHECK_AGAIN: Duration = Duration::from_secs(30);

/// Why an event is parked, and what happens to it next.
#[derive(Clone, Debug)]
pub(crate) struct Disposition {
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
    pub(crate) waits_for: Option<String>,
    /// Until the next try; `None` is dead.
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

    /// What a failure means for an event that has now been tried `attempts` times.
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

    /// Something that the event needs has not arrived.
    pub(crate) fn waits(what: String, first_time: bool) -> Self {
        let pause = if first_time { RECHECK } else { RECHECK_AGAIN };
        Self {
            kind: "waits",
            reason: format!("waits for {what}"),
            waits_for: Some(what),
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

/// 1, 4, 16, 64 s after the first, second, third, fourth try, each up to a fifth shorter.
fn pause(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(3);
    Duration::from_secs(4_u64.pow(exponent)).mul_f64(rand::rng().random_range(0.8..=1.0))
}

/// Parks a message. One that is parked already is only counted.
///
/// `in_inbox` says that the inbox holds its id, noted in the same transaction.
pub(crate) async fn park(
    connection: &mut PgConnection,
    event_id: EventId,
    raw: &RawMessage<'_>,
    origin: Origin<'_>,
    disposition: &Disposition,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, message_id, correlation_id, body,
                                   admitted, kind, reason, waits_for, attempts, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1, now() + make_interval(secs => $13))
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
        disposition.waits_for,
        disposition.pause.map(|pause| pause.as_secs_f64()),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Where a parked message came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) queue: &'a str,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) in_inbox: bool,
}

/// A parked event that is due.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) event_id: EventId,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) message_id: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) attempts: i32,
    /// Until when others leave it alone.
    pub(crate) lease: DateTime<Utc>,
}

impl Due {
    pub(crate) fn raw(&self) -> RawMessage<'_> {
        RawMessage {
            exchange: &self.exchange,
            routing_key: &self.routing_key,
            message_id: self.message_id.as_deref(),
            body: &self.body,
        }
    }
}

/// Claims events that are due, the longest due first. The claim counts as an attempt and is committed before
/// the handler runs, so that an event that kills the process cannot do so for ever.
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
         returning event_id, exchange, routing_key, message_id, body, attempts, due_at as "lease!""#,
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
            body: row.body,
            attempts: row.attempts,
            lease: row.lease,
        })
        .collect())
}

/// Takes the row of an event out, in the transaction of its effect. `None` when somebody else has; else
/// whether the inbox holds its id.
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

/// Notes that a try has failed. An event that was released meanwhile stays due.
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
        disposition.waits_for,
        attempts,
        disposition.pause.map(|pause| pause.as_secs_f64()),
        due.lease,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the events due that wait for any of `what`. True when there were some.
pub(crate) async fn release(connection: &mut PgConnection, what: &[String]) -> sqlx::Result<bool> {
    let released = sqlx::query!(
        "update parked_event set due_at = now() where state = 'waiting' and waits_for = any($1)",
        what
    )
    .execute(connection)
    .await?;
    Ok(released.rows_affected() > 0)
}

/// Forgets what parked events say that name any of these ids. The rows stay, as dead: somebody may look for them.
/// Those that wait for another event are released instead: they find that nothing is left to do. True when there
/// were some.
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
    /// The routing key it was published with.
    pub routing_key: String,
    /// The cause in one word.
    pub kind: String,
    /// The cause, with its chain of errors. May quote what was sent.
    pub reason: String,
    /// What must arrive first.
    pub waits_for: Option<String>,
    /// How often handling was tried since it was parked or replayed.
    pub attempts: i32,
    /// How often the same message was delivered.
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
