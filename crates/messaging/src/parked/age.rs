//! Deletes old bodies and old rows: a body names persons, and must not be kept without a purpose.

use super::{ERASED, erasure::blank_left};
use sqlx::PgConnection;

/// Deletes the bodies of events that died 90 days ago or were discarded 7 days ago, rows without a body after a year,
/// events without a handler after 7 days, and what the operators did after two years; a small batch at a time.
pub(crate) async fn purge(connection: &mut PgConnection) -> sqlx::Result<()> {
    blank_left(connection).await?;
    sqlx::query!(
        "update parked_event
         set body = '', reason = 'its body was deleted 90 days after it died; the cause was ' || kind, kind = $1
         where event_id = any(array(
             select event_id from parked_event
             where state = 'dead' and kind <> 'erased' and last_at < now() - interval '90 days' limit 1000))",
        ERASED,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from parked_event where event_id = any(
             array(select event_id from parked_event
                   where state = 'dead' and kind = 'erased' and last_at < now() - interval '1 year' limit 1000)
             || array(select event_id from parked_event
                      where state = 'discarded' and kind = 'erased' and last_at < now() - interval '1 year' limit 1000)
             || array(select event_id from parked_event
                      where kind = 'unknown_key' and first_at < now() - interval '7 days'
                        and (discarded_at is null or discarded_at < now() - interval '7 days')))"
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update parked_event
         set body = '', reason = 'its body was deleted 7 days after it was discarded; the cause was ' || kind, kind = $1
         where event_id = any(array(
             select event_id from parked_event
             where state = 'discarded' and kind <> 'erased' and discarded_at < now() - interval '7 days' limit 1000))",
        ERASED,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from operator_audit where id = any(array(
             select id from operator_audit where at < now() - interval '2 years' limit 1000))"
    )
    .execute(connection)
    .await?;
    Ok(())
}
