//! Parks a message: writes its row.

use super::{Disposition, without_nul};
use chrono::{DateTime, Utc};
use events::{EventId, Meta, RawMessage, WaitsFor};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// The most bytes of a body that are kept. A sound event is smaller.
const LARGEST_BODY: usize = 64 * 1024;
/// The most characters of a reason that are kept: it may quote the message.
const LONGEST_REASON: usize = 2_000;
/// The most characters of the publisher's name that are kept of a message that is no event.
const LONGEST_SOURCE: usize = 200;

/// Where a parked message comes from, as far as it could be read.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) queue: &'static str,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) occurred_at: Option<DateTime<Utc>>,
    pub(crate) source: Option<String>,
}

impl Origin {
    /// The origin of a message that could not be read as an event: its publisher, where the message or the AMQP `app_id`
    /// tells it.
    pub(crate) fn of_unread(queue: &'static str, raw: &RawMessage<'_>) -> Self {
        #[derive(Deserialize)]
        struct Body {
            _meta: Source,
        }
        #[derive(Deserialize)]
        struct Source {
            source: String,
        }
        let in_body = serde_json::from_slice::<Body>(raw.body).map(|body| body._meta.source);
        let source = in_body.ok().or(raw.app_id.map(str::to_owned));
        let source = source.filter(|source| !source.is_empty());
        Self {
            queue,
            correlation_id: None,
            occurred_at: None,
            source: source
                .map(|source| without_nul(&source).chars().take(LONGEST_SOURCE).collect()),
        }
    }

    /// The origin of a message with a readable `_meta`.
    pub(crate) fn of(queue: &'static str, meta: &Meta) -> Self {
        Self {
            queue,
            correlation_id: Some(meta.correlation_id),
            // The contract reads a missing time as 1970.
            occurred_at: Some(meta.timestamp).filter(|time| *time > DateTime::UNIX_EPOCH),
            source: Some(without_nul(&meta.source)),
        }
    }
}

/// A message that is to be parked.
#[derive(Clone, Debug)]
pub(crate) struct NewParked<'a> {
    pub(crate) event_id: EventId,
    pub(crate) raw: RawMessage<'a>,
    pub(crate) origin: Origin,
    pub(crate) disposition: Disposition,
}

impl NewParked<'_> {
    /// The part of the body that is kept.
    pub(super) fn body(&self) -> &[u8] {
        let body = self.raw.body;
        &body[..body.len().min(LARGEST_BODY)]
    }

    /// The reason, with what identifies a body that is cut.
    fn reason(&self) -> String {
        let body = self.raw.body;
        let reason: String = self
            .disposition
            .reason
            .chars()
            .take(LONGEST_REASON)
            .collect();
        let reason = without_nul(&reason);
        if body.len() <= LARGEST_BODY {
            return reason;
        }
        let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, body);
        format!(
            "{reason}; the first {LARGEST_BODY} of {} bytes are kept, the digest of all (UUIDv5) is {digest}",
            body.len()
        )
    }

    fn pause(&self) -> Option<f64> {
        self.disposition.pause.map(|pause| pause.as_secs_f64())
    }

    fn waits_for(&self) -> Option<&str> {
        self.disposition.waits_for.as_ref().map(WaitsFor::as_str)
    }
}

/// Parks an event whose id this transaction has recorded in the inbox: from now on the row owns the event. It replaces
/// the row of an unreadable message with the same id, which the inbox does not hold.
pub(crate) async fn park_owned(
    connection: &mut PgConnection,
    parked: &NewParked<'_>,
) -> sqlx::Result<()> {
    let NewParked {
        event_id,
        raw,
        origin,
        disposition,
    } = parked;
    sqlx::query!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, message_id, correlation_id, body,
                                   kind, reason, waits_for, attempts, due_at, occurred_at, source, app_id, admitted)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + make_interval(secs => $13),
                 coalesce($14, now()), $15, $16, true)
         on conflict (event_id) do update set
             (state, queue, exchange, routing_key, message_id, correlation_id, body, kind, reason, waits_for, attempts,
              due_at, occurred_at, source, app_id, admitted)
           = (excluded.state, excluded.queue, excluded.exchange, excluded.routing_key, excluded.message_id,
              excluded.correlation_id, excluded.body, excluded.kind, excluded.reason, excluded.waits_for,
              excluded.attempts, excluded.due_at, excluded.occurred_at, excluded.source, excluded.app_id,
              true),
             deliveries = parked_event.deliveries + 1, last_at = now(), waiting_since = now(),
             discarded_at = null",
        event_id.as_uuid(),
        disposition.state(),
        origin.queue,
        raw.exchange,
        without_nul(raw.routing_key),
        raw.message_id.map(without_nul),
        origin.correlation_id,
        parked.body(),
        disposition.kind,
        parked.reason(),
        parked.waits_for(),
        disposition.attempts,
        parked.pause(),
        origin.occurred_at,
        origin.source,
        raw.app_id.map(without_nul),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Parks a message whose id the inbox does not hold: another message with this id may still be handled. An identical
/// copy is only counted. When there is another message with this id, both are kept: this one under an id that is
/// derived from its body. Returns the id.
pub(crate) async fn park_refused(
    connection: &mut PgConnection,
    parked: &NewParked<'_>,
) -> sqlx::Result<EventId> {
    let event_id = parked.event_id;
    if insert_refused(connection, parked, event_id).await? {
        return Ok(event_id);
    }
    let derived = Uuid::new_v5(&event_id.as_uuid(), parked.raw.body).into();
    if !insert_refused(connection, parked, derived).await? {
        // Its body has been erased.
        count_copy(connection, derived).await?;
    }
    Ok(derived)
}

/// False when there is a row with this id and another body.
async fn insert_refused(
    connection: &mut PgConnection,
    parked: &NewParked<'_>,
    event_id: EventId,
) -> sqlx::Result<bool> {
    let NewParked {
        raw,
        origin,
        disposition,
        ..
    } = parked;
    let stored = sqlx::query!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, message_id, correlation_id, body,
                                   kind, reason, attempts, occurred_at, source, app_id, admitted)
         values ($1, 'dead', $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, now()), $12, $13, false)
         on conflict (event_id) do update set deliveries = parked_event.deliveries + 1, last_at = now()
         where parked_event.body = excluded.body",
        event_id.as_uuid(),
        origin.queue,
        raw.exchange,
        without_nul(raw.routing_key),
        raw.message_id.map(without_nul),
        origin.correlation_id,
        parked.body(),
        disposition.kind,
        parked.reason(),
        disposition.attempts,
        origin.occurred_at,
        origin.source,
        raw.app_id.map(without_nul),
    )
    .execute(connection)
    .await?;
    Ok(stored.rows_affected() > 0)
}

/// Counts one more delivery of an event, when it is parked.
pub(crate) async fn count_copy(
    connection: &mut PgConnection,
    event_id: EventId,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update parked_event set deliveries = deliveries + 1, last_at = now() where event_id = $1",
        event_id.as_uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
