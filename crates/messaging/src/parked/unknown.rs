//! Events that have no handler in this service: a few of each kind are kept, as dead, so that they can be replayed
//! after an upgrade. The others are only counted.

use super::{NewParked, without_nul};
use sqlx::PgConnection;
use std::{
    collections::HashSet,
    sync::Mutex,
    time::{Duration, Instant},
};

/// How many events of one routing key and one publisher are kept.
const OF_ONE_KIND: i64 = 100;
/// How many events are kept in all: a publisher may make up a key for each event.
const IN_ALL: i64 = 1_000;
/// For so long the database is not asked again whether there is room.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Which kinds have no room left, so that a flood of unknown events costs no statements.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Full>);

#[derive(Debug, Default)]
struct Full {
    since: Option<Instant>,
    kinds: HashSet<(String, Option<String>)>,
}

impl Room {
    /// Whether an event of this kind may have room.
    pub(crate) fn may_hold(&self, parked: &NewParked<'_>) -> bool {
        let mut full = self.0.lock().expect("no holder of this lock panics");
        if full.since.is_none_or(|since| since.elapsed() > ASK_AGAIN) {
            *full = Full::default();
        }
        // Each kind that is known to be full has its rows; beyond so many kinds the whole table is full.
        full.kinds.len() < IN_ALL as usize && !full.kinds.contains(&kind(parked))
    }

    /// Notes that there is no room for this kind.
    pub(crate) fn is_full(&self, parked: &NewParked<'_>) {
        let mut full = self.0.lock().expect("no holder of this lock panics");
        full.since.get_or_insert_with(Instant::now);
        full.kinds.insert(kind(parked));
    }
}

fn kind(parked: &NewParked<'_>) -> (String, Option<String>) {
    (
        parked.raw.routing_key.to_owned(),
        parked.origin.source.clone(),
    )
}

/// Parks an event that has no handler, when there is room. The inbox does not hold it: a copy that comes after an
/// upgrade is handled. Returns whether there was room.
pub(crate) async fn park_unknown(
    connection: &mut PgConnection,
    parked: &NewParked<'_>,
) -> sqlx::Result<bool> {
    let NewParked {
        event_id,
        raw,
        origin,
        disposition,
    } = parked;
    let stored = sqlx::query!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, message_id, correlation_id, body,
                                   kind, reason, occurred_at, source, app_id, admitted)
         select $1, 'dead', $2, $3, $4, $5, $6, $7, 'unknown_key', $8, coalesce($9, now()), $10, $13, false
         where (select count(*) from parked_event where kind = 'unknown_key') < $11
           and (select count(*) from parked_event
                where kind = 'unknown_key' and routing_key = $4 and source is not distinct from $10) < $12
         on conflict (event_id) do update set deliveries = parked_event.deliveries + 1, last_at = now()",
        event_id.as_uuid(),
        origin.queue,
        raw.exchange,
        without_nul(raw.routing_key),
        raw.message_id.map(without_nul),
        origin.correlation_id,
        parked.body(),
        disposition.reason,
        origin.occurred_at,
        origin.source,
        IN_ALL,
        OF_ONE_KIND,
        // The id of a foreign message is computed from it once more when the event is replayed.
        raw.app_id.map(without_nul),
    )
    .execute(connection)
    .await?;
    Ok(stored.rows_affected() > 0)
}
