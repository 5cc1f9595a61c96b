//! Changes of the table `communications_notification`. Each moves the position and the unread count of the inbox in the
//! same statement, by the rows that it has changed. The transaction has locked the inboxes before
//! ([`super::inboxes::lock`]). Every function fails with the database's error.

use crate::domain::{Announcement, Change, NewNotification};
use events::UserId;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// Inserts notifications, in one round trip. Returns the ids of those that the users want, and whether each did not exist.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    notifications: &[NewNotification],
) -> sqlx::Result<HashMap<Uuid, bool>> {
    let column = |get: fn(&NewNotification) -> Uuid| -> Vec<Uuid> {
        notifications.iter().map(get).collect()
    };
    let text = |get: fn(&NewNotification) -> &str| -> Vec<String> {
        notifications.iter().map(get).map(str::to_owned).collect()
    };
    let metadata: Vec<Value> = notifications
        .iter()
        .map(|new| new.notice.metadata.clone())
        .collect();
    let occurred_at: Vec<_> = notifications.iter().map(|new| new.occurred_at).collect();
    let (titles, contents): (Vec<_>, Vec<_>) = notifications
        .iter()
        .map(|new| new.notice.english())
        .map(|text| (text.title, text.content))
        .unzip();
    let arguments: Vec<_> = notifications
        .iter()
        .map(|new| Json(&new.notice.arguments))
        .collect();
    let wanted = sqlx::query!(
        r#"with wanted as materialized (
               select new.* from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[],
                                        $7::text[], $8::uuid[], $9::jsonb[], $10::timestamptz[], $11::jsonb[])
                   as new (id, user_id, kind, source_event, title, content, object_type, object_id, metadata, occurred_at,
                           arguments)
               where not exists (select from communications_preference as off
                                 where off.user_id = new.user_id and off.kind = new.kind)),
           written as (
               insert into communications_notification
                   (id, user_id, kind, source_event, type, title, content, related_object_type, related_object_id,
                    metadata, occurred_at, arguments, changed_seq)
               select id, wanted.user_id, kind, source_event, 'system', title, content, object_type, object_id, metadata,
                      occurred_at, arguments, inbox.seq + 1
               from wanted
               join communications_inbox as inbox on inbox.user_id = wanted.user_id
               on conflict do nothing
               returning id, user_id),
           moved as (
               update communications_inbox as inbox set seq = seq + 1, unread = unread + more.number,
                   total = total + more.number
               from (select user_id, count(*) as number from written group by user_id) as more
               where inbox.user_id = more.user_id)
           select wanted.id as "id!", written.id is not null as "is_new!"
           from wanted left join written on written.id = wanted.id"#,
        &column(|new| new.id),
        &column(|new| new.user_id.as_uuid()),
        &text(|new| new.notice.kind),
        &column(|new| new.source_event.as_uuid()),
        &titles,
        &contents,
        &text(|new| new.notice.related_object_type),
        &column(|new| new.notice.related_object_id),
        &metadata,
        &occurred_at,
        &arguments as _,
    )
    .fetch_all(connection)
    .await?;
    Ok(wanted.into_iter().map(|row| (row.id, row.is_new)).collect())
}

/// Inserts a notification for a user who is known and was not deleted. Returns whether it did.
pub(crate) async fn announce(
    connection: &mut PgConnection,
    new: &Announcement,
) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "with written as (
             insert into communications_notification
                 (id, user_id, kind, source_event, type, title, content, related_object_type, related_object_id,
                  metadata, occurred_at, changed_seq)
             select $1, known.user_id, $3, $1, 'system', $4, $5, $6, $7, $8, now(), inbox.seq + 1
             from communications_recipient as known
             join communications_inbox as inbox on inbox.user_id = known.user_id
             where known.user_id = $2 and not known.erased
             returning user_id)
         update communications_inbox as inbox set seq = seq + 1, unread = unread + 1, total = total + 1
         from written where inbox.user_id = written.user_id",
        new.id,
        new.user_id.as_uuid(),
        new.kind,
        new.title,
        new.content,
        new.related_object_type,
        new.related_object_id,
        new.metadata,
    )
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// Changes a notification of a user, and returns whether the user has it. A notification that is so already stays as it
/// is. A deleted one can only be restored, for 10 minutes.
pub(crate) async fn change(
    connection: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
    change: Change,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"with before as (
               select id, read_at, archived_at, deleted_at,
                      (read_at is null and archived_at is null and deleted_at is null)::int as unread,
                      (archived_at is null and deleted_at is null)::int as listed
               from communications_notification
               where user_id = $1 and id = $2
                 and (deleted_at is null or ($3 = 'restore' and deleted_at > now() - interval '10 minutes'))),
           wanted as (
               select id, unread, listed,
                      case $3 when 'read' then coalesce(read_at, now()) when 'unread' then null
                              else read_at end as read_at,
                      case $3 when 'archive' then coalesce(archived_at, now()) when 'unarchive' then null
                              else archived_at end as archived_at,
                      case $3 when 'delete' then now() when 'restore' then null else deleted_at end as deleted_at
               from before),
           changed as (
               update communications_notification as notification
               set read_at = wanted.read_at, archived_at = wanted.archived_at, deleted_at = wanted.deleted_at,
                   changed_seq = (select seq + 1 from communications_inbox where user_id = $1)
               from wanted
               where notification.id = wanted.id
                 and (notification.read_at is distinct from wanted.read_at
                      or notification.archived_at is distinct from wanted.archived_at
                      or notification.deleted_at is distinct from wanted.deleted_at)
               returning (notification.read_at is null and notification.archived_at is null
                          and notification.deleted_at is null)::int - wanted.unread as unread,
                         (notification.archived_at is null and notification.deleted_at is null)::int - wanted.listed
                             as listed),
           moved as (
               update communications_inbox as inbox
               set seq = seq + 1, unread = inbox.unread + changed.unread, total = total + changed.listed
               from changed where inbox.user_id = $1)
           select exists (select from before) as "exists!""#,
        user_id.as_uuid(),
        id,
        change.name(),
    )
    .fetch_one(connection)
    .await
}

/// Marks what a user has not read as read, up to a position, and returns how many notifications that were.
pub(crate) async fn read_all(
    connection: &mut PgConnection,
    user_id: UserId,
    until_seq: Option<i64>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"with changed as (
               update communications_notification
               set read_at = now(), changed_seq = (select seq + 1 from communications_inbox where user_id = $1)
               where user_id = $1 and read_at is null and archived_at is null and deleted_at is null
                 and ($2::bigint is null or coalesce(changed_seq, 0) <= $2)
               returning id),
           total as (select count(*) as number from changed),
           moved as (
               update communications_inbox set seq = seq + 1, unread = unread - total.number
               from total where user_id = $1 and total.number > 0)
           select number as "number!" from total"#,
        user_id.as_uuid(),
        until_seq,
    )
    .fetch_one(connection)
    .await
}

/// Deletes all notifications of users, without a trace. The trigger of the table makes their clients load anew.
pub(crate) async fn erase(connection: &mut PgConnection, user_ids: &[UserId]) -> sqlx::Result<()> {
    let user_ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query!(
        "delete from communications_notification where user_id = any($1)",
        &user_ids
    )
    .execute(connection)
    .await?;
    Ok(())
}
