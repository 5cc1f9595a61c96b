//! What is deleted of the table `communications_notification` when its time has ended, a batch at a time. Every function
//! fails with the database's error.

use events::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A notification, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned {
    pub id: Uuid,
    pub user_id: UserId,
}

/// Deletes the texts of notifications that cannot be restored any more, and returns how many they were. A request that
/// restores one has half a minute to end.
pub(crate) async fn empty(connection: &mut PgConnection, limit: i64) -> sqlx::Result<u64> {
    let emptied = sqlx::query!(
        "update communications_notification
         set title = '', content = '', arguments = null, metadata = '{}', last_error = null
         where id = any(array(
             select id from communications_notification
             where deleted_at is not null and title <> '' and deleted_at < now() - interval '10 minutes 30 seconds'
             order by deleted_at limit $1 for update skip locked))",
        limit
    )
    .execute(connection)
    .await?;
    Ok(emptied.rows_affected())
}

/// Returns deletions of more than 90 days ago. The trace of a welcome stays, so that the user is not welcomed again.
pub(crate) async fn forgettable(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<Vec<Owned>> {
    sqlx::query_as!(
        Owned,
        "select id, user_id from communications_notification
         where deleted_at is not null and kind <> 'welcome' and deleted_at < now() - interval '90 days'
         order by deleted_at limit $1",
        limit
    )
    .fetch_all(connection)
    .await
}

/// Deletes the traces of deletions. A client that knows none of them loads the inbox anew. The inboxes are locked.
pub(crate) async fn forget(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "with forgotten as (
             delete from communications_notification
             where id = any($1) and deleted_at < now() - interval '90 days'
             returning user_id, changed_seq)
         update communications_inbox as inbox set purged_seq = greatest(inbox.purged_seq, last.seq)
         from (select user_id, max(changed_seq) as seq from forgotten group by user_id) as last
         where inbox.user_id = last.user_id",
        ids
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notifications in the order of their ids, which is that of time.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Those whose time has ended.
    pub expired: Vec<Owned>,
    /// The last one that was looked at; `None`: there are no more.
    pub last: Option<Uuid>,
}

/// Looks at `limit` notifications between two ids: which of them were read more than `days` ago, or were written more
/// than twice as long ago and never read.
pub(crate) async fn expired(
    connection: &mut PgConnection,
    (after, before): (Uuid, Uuid),
    days: i32,
    limit: i64,
) -> sqlx::Result<Walk> {
    let rows = sqlx::query!(
        r#"select id, user_id,
                  deleted_at is null
                  and case when read_at is null then created_at < now() - make_interval(days => 2 * $3)
                           else read_at < now() - make_interval(days => $3) end as "expired!"
           from communications_notification where id > $1 and id < $2 order by id limit $4"#,
        after,
        before,
        days,
        limit,
    )
    .fetch_all(connection)
    .await?;
    let is_last = (rows.len() as i64) < limit;
    let last = rows.last().map(|row| row.id).filter(|_| !is_last);
    let expired = rows.into_iter().filter(|row| row.expired);
    let expired = expired.map(|row| Owned {
        id: row.id,
        user_id: row.user_id.into(),
    });
    Ok(Walk {
        expired: expired.collect(),
        last,
    })
}

/// Deletes notifications as their users would: clients see it. The inboxes are locked.
pub(crate) async fn expire(
    connection: &mut PgConnection,
    ids: &[Uuid],
    days: i32,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with expired as (
             update communications_notification as notification
             set deleted_at = now(), changed_seq = inbox.seq + 1
             from communications_inbox as inbox
             where inbox.user_id = notification.user_id and notification.id = any($1) and deleted_at is null
               and case when read_at is null then created_at < now() - make_interval(days => 2 * $2)
                        else read_at < now() - make_interval(days => $2) end
             returning notification.user_id, (read_at is null and archived_at is null)::int as unread,
                       (archived_at is null)::int as listed)
         update communications_inbox as inbox
         set seq = inbox.seq + 1, unread = inbox.unread - less.unread, total = inbox.total - less.listed
         from (select user_id, sum(unread) as unread, sum(listed) as listed from expired group by user_id) as less
         where inbox.user_id = less.user_id",
        ids,
        days,
    )
    .execute(connection)
    .await?;
    Ok(())
}
