//! Deletes the bodies of parked events that name a person who was erased. The table `parked_person` says which events
//! name whom; the database keeps it in step with the bodies.

use super::Disposition;
use events::EventId;
use sqlx::PgConnection;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How many bodies one statement deletes: an erasure must end within the time that an event has, one second.
const BATCH: i64 = 1_000;
/// How long a round of the purge deletes bodies.
const ROUND: Duration = Duration::from_secs(3);

/// Deletes the bodies of parked events that name any of these ids or e-mail addresses. The rows stay, as dead, so that
/// an operator finds them. Events that wait for another event are released instead, because their handler finds nothing
/// to do any more. Records the ids, for messages that come later, and for the events beyond [`BATCH`]: the purge finds
/// them by their ids. Returns whether events were released.
pub(crate) async fn blank(
    connection: &mut PgConnection,
    ids: &[Uuid],
    emails: &[String],
) -> sqlx::Result<bool> {
    let erased = Disposition::erased();
    let released = sqlx::query_scalar!(
        r#"with recorded as (
               insert into erased_person (person_id) select unnest($1::uuid[]) on conflict do nothing),
           by_id as (
               select event_id from parked_person where person_id = any($1)),
           by_email_only as (
               select event_id from parked_person
               where person_id in (select md5(lower(email))::uuid from unnest($2::text[]) as email)
               except select event_id from by_id),
           named as (
               select event_id, state = 'waiting' and waits_for is not null as waits from parked_event
               where event_id in ((select event_id from by_id limit $5) union all select event_id from by_email_only)),
           released as (
               update parked_event set due_at = now(), released = true from named
               where parked_event.event_id = named.event_id and waits returning true),
           blanked as (
               update parked_event
               set state = case state when 'waiting' then 'dead' else state end,
                   kind = $3, reason = $4, body = '', due_at = null, released = false
               from named where parked_event.event_id = named.event_id and not waits)
           select exists (select from released) as "released!""#,
        ids,
        emails,
        erased.kind,
        erased.reason,
        BATCH,
    )
    .fetch_one(connection)
    .await?;
    Ok(released)
}

/// Deletes the body of an event that this transaction has parked as dead, when it names somebody who was erased.
/// Returns whether it did.
pub(crate) async fn blank_if_erased(
    connection: &mut PgConnection,
    event_id: EventId,
) -> sqlx::Result<bool> {
    let erased = Disposition::erased();
    let blanked = sqlx::query!(
        "update parked_event set kind = $2, reason = $3, body = ''
         where event_id = $1 and state <> 'waiting'
           and exists (select from parked_person p join erased_person using (person_id) where p.event_id = $1)",
        event_id.as_uuid(),
        erased.kind,
        erased.reason,
    )
    .execute(connection)
    .await?;
    Ok(blanked.rows_affected() > 0)
}

/// Deletes the bodies that an erasure of the last day left: those beyond [`BATCH`], and those that were parked in a
/// transaction that had not committed.
pub(super) async fn blank_left(connection: &mut PgConnection) -> sqlx::Result<()> {
    let erased = Disposition::erased();
    let end = Instant::now() + ROUND;
    loop {
        let blanked = sqlx::query!(
            "update parked_event
             set state = case state when 'waiting' then 'dead' else state end,
                 kind = $1, reason = $2, body = '', due_at = null, released = false
             where event_id = any(array(
                 select event_id from parked_event
                 where (state <> 'waiting' or waits_for is null) and kind <> $1
                   and event_id in (select event_id from parked_person join erased_person using (person_id)
                                    where erased_at > now() - interval '1 day')
                 limit $3))",
            erased.kind,
            erased.reason,
            BATCH,
        )
        .execute(&mut *connection)
        .await?;
        if blanked.rows_affected() < BATCH.unsigned_abs() || Instant::now() >= end {
            return Ok(());
        }
    }
}
