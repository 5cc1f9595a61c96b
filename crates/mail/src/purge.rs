//! Deletes what is old: recipients and arguments a day after a mail was sent, rows after 30 days.

use sqlx::PgConnection;

/// The most rows of one statement.
const BATCH: i64 = 500;

/// Deletes a batch of each. A mail that could not be sent for 30 days is of no use any more. Returns whether there may be
/// more.
///
/// # Errors
/// Fails with the database's error.
pub(crate) async fn round(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let blanked = sqlx::query!(
        "update mail set recipient = null, arguments = null, reason = null where id = any(array(
             select id from mail where recipient is not null and state = 'sent'
               and finished_at < now() - interval '1 day' limit $1 for update skip locked))",
        BATCH
    )
    .execute(&mut *connection)
    .await?;
    let deleted = sqlx::query!(
        "delete from mail where id = any(array(
             select id from mail where created_at < now() - interval '30 days' and state <> 'sending'
             limit $1 for update skip locked))",
        BATCH
    )
    .execute(connection)
    .await?;
    Ok(blanked.rows_affected().max(deleted.rows_affected()) >= BATCH.unsigned_abs())
}
