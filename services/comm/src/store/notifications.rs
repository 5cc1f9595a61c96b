//! The table `communications_notification`. Every query for a user names the user, so that another user's notification
//! does not exist for it. Every function fails with the database's error.

use crate::domain::NewNotification;
use chrono::{DateTime, Utc};
use events::UserId;
use serde_json::Value;
use sqlx::PgConnection;
use std::collections::HashSet;
use uuid::Uuid;

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Notification {
    /// The notification.
    pub id: Uuid,
    /// The user whose inbox holds it.
    pub user_id: Uuid,
    /// Channel: `email`, `push` or `system` (the inbox).
    pub channel: String,
    /// One line.
    pub title: String,
    /// The text.
    pub content: String,
    /// What it is about, such as `student`.
    pub related_object_type: Option<String>,
    /// The id of what it is about.
    pub related_object_id: Option<Uuid>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it reached its channel.
    pub sent_at: Option<DateTime<Utc>>,
    /// `pending`, `sent` or `failed`.
    pub status: String,
    /// Failed deliveries over its channel.
    pub attempts: i32,
    /// The last failed delivery's cause.
    pub last_error: Option<String>,
    /// For programs.
    pub metadata: Value,
    /// When the user had read it.
    pub read_at: Option<DateTime<Utc>>,
}

/// Inserts notifications, in one round trip, and returns the ids of those that did not exist.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    notifications: &[NewNotification],
) -> sqlx::Result<HashSet<Uuid>> {
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
    let written = sqlx::query_scalar!(
        "insert into communications_notification
             (id, user_id, kind, source_event, type, title, content, related_object_type, related_object_id, metadata,
              occurred_at)
         select id, user_id, kind, source_event, 'system', title, content, object_type, object_id, metadata, occurred_at
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[],
                     $9::jsonb[], $10::timestamptz[])
             as new (id, user_id, kind, source_event, title, content, object_type, object_id, metadata, occurred_at)
         on conflict do nothing
         returning id",
        &column(|new| new.id),
        &column(|new| new.user_id.as_uuid()),
        &text(|new| new.notice.kind),
        &column(|new| new.source_event.as_uuid()),
        &text(|new| new.notice.title),
        &text(|new| &new.notice.content),
        &text(|new| new.notice.related_object_type),
        &column(|new| new.notice.related_object_id),
        &metadata,
        &occurred_at,
    )
    .fetch_all(connection)
    .await?;
    Ok(written.into_iter().collect())
}

/// Returns all notifications of a user, in the order in which it happened, the newest first.
pub(crate) async fn all(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Vec<Notification>> {
    sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at
         from communications_notification
         where user_id = $1
         order by coalesce(occurred_at, created_at) desc, id desc",
        user_id.as_uuid()
    )
    .fetch_all(connection)
    .await
}

/// Selects notifications of a user. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Only this channel.
    pub channel: Option<&'static str>,
    /// Only this status.
    pub status: Option<&'static str>,
    /// Only unread, or only read.
    pub unread: Option<bool>,
}

/// Returns a page of a user's notifications, in the order in which it happened, the newest first, and the total.
pub(crate) async fn list(
    connection: &mut PgConnection,
    user_id: UserId,
    filter: &Filter,
    offset: i64,
    limit: i64,
) -> sqlx::Result<(Vec<Notification>, i64)> {
    let notifications = sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at
         from communications_notification
         where user_id = $1
           and ($2::text is null or type = $2)
           and ($3::text is null or status = $3)
           and ($4::boolean is null or (read_at is null) = $4)
         order by coalesce(occurred_at, created_at) desc, id desc
         offset $5 limit $6",
        user_id.as_uuid(),
        filter.channel,
        filter.status,
        filter.unread,
        offset,
        limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    // A short first page is the whole list.
    if offset == 0 && (notifications.len() as i64) < limit {
        let total = notifications.len() as i64;
        return Ok((notifications, total));
    }
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from communications_notification
           where user_id = $1
             and ($2::text is null or type = $2)
             and ($3::text is null or status = $3)
             and ($4::boolean is null or (read_at is null) = $4)"#,
        user_id.as_uuid(),
        filter.channel,
        filter.status,
        filter.unread,
    )
    .fetch_one(connection)
    .await?;
    Ok((notifications, total))
}

/// Returns a notification of a user.
pub(crate) async fn one(
    connection: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
) -> sqlx::Result<Option<Notification>> {
    sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at
         from communications_notification where user_id = $1 and id = $2",
        user_id.as_uuid(),
        id
    )
    .fetch_optional(connection)
    .await
}

/// Marks a notification of a user as read. The first time counts.
pub(crate) async fn mark_read(
    connection: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
) -> sqlx::Result<Option<Notification>> {
    sqlx::query_as!(
        Notification,
        "update communications_notification set read_at = coalesce(read_at, now())
         where user_id = $1 and id = $2
         returning id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                   sent_at, status, attempts, last_error, metadata, read_at",
        user_id.as_uuid(),
        id
    )
    .fetch_optional(connection)
    .await
}

/// Counts a user's unread notifications.
pub(crate) async fn unread_count(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from communications_notification where user_id = $1 and read_at is null"#,
        user_id.as_uuid()
    )
    .fetch_one(connection)
    .await
}

/// Returns the newest notifications about students, of all users. Ids are made in the order of time, so the primary key
/// finds them.
pub(crate) async fn latest_of_students(
    connection: &mut PgConnection,
    limit: i64,
) -> sqlx::Result<Vec<Notification>> {
    sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at
         from communications_notification where related_object_type = 'student'
         order by id desc limit $1",
        limit
    )
    .fetch_all(connection)
    .await
}

/// Deletes all notifications of users.
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
