//! The table `communications_notification`. Every query for a user names the user, so that another user's notification
//! does not exist for it. Every function fails with the database's error.

use super::inboxes;
use crate::domain::{
    Language,
    texts::{self, Arguments, Text},
};
use chrono::{DateTime, Utc};
use events::UserId;
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::PgConnection;
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
    /// When the user archived it.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it happened: lists have this order.
    pub happened_at: DateTime<Utc>,
    /// Which text it is.
    pub kind: String,
    /// The [`Arguments`] of the text; `None` in rows of before.
    pub arguments: Option<Value>,
}

impl Notification {
    /// Returns its text. A row without arguments, or of a kind that has no text here, has the text that it stores.
    pub(crate) fn text(&self, language: Language) -> Text {
        let arguments = self.arguments.as_ref();
        let arguments = arguments.and_then(|stored| Arguments::deserialize(stored).ok());
        let text = arguments.and_then(|arguments| texts::render(&self.kind, &arguments, language));
        text.unwrap_or_else(|| Text {
            title: self.title.clone(),
            content: self.content.clone(),
        })
    }
}

/// Returns all notifications of a user, in the order in which it happened, the newest first.
pub(crate) async fn all(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Vec<Notification>> {
    sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at, archived_at, kind, arguments,
                coalesce(occurred_at, created_at) as \"happened_at!\"
         from communications_notification
         where user_id = $1 and deleted_at is null
         order by coalesce(occurred_at, created_at) desc, id desc",
        user_id.as_uuid()
    )
    .fetch_all(connection)
    .await
}

/// Selects notifications of a user. A field that is `None` selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// What the user has archived, instead of what is in the inbox.
    pub archived: bool,
    /// Only this channel.
    pub channel: Option<&'static str>,
    /// Only this status.
    pub status: Option<&'static str>,
    /// Only unread, or only read.
    pub unread: Option<bool>,
    /// Only about objects of this type.
    pub related_object_type: Option<String>,
    /// Only about this object.
    pub related_object_id: Option<Uuid>,
}

/// A place in a list: the notification that precedes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The notification.
    pub id: Uuid,
}

impl Cursor {
    /// Before the newest.
    pub(crate) fn newest() -> Self {
        Self {
            at: DateTime::<Utc>::MAX_UTC,
            id: Uuid::max(),
        }
    }
}

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub after: Cursor,
    pub offset: i64,
    pub limit: i64,
}

/// Three statements of one text. Each names the condition of the index that it reads, which PostgreSQL would not see in a
/// parameter.
macro_rules! select {
    (rows $condition:tt, $connection:ident, $user_id:ident, $filter:ident, $range:ident) => {
        sqlx::query_as!(
            Notification,
            "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                    sent_at, status, attempts, last_error, metadata, read_at, archived_at, kind, arguments,
                    coalesce(occurred_at, created_at) as \"happened_at!\"
             from communications_notification
             where user_id = $1 and " + $condition + " and deleted_at is null
               and (coalesce(occurred_at, created_at), id) < ($7, $8)
               and ($2::text is null or type = $2)
               and ($3::text is null or status = $3)
               and ($4::boolean is null or (read_at is null) = $4)
               and ($5::text is null or related_object_type = $5)
               and ($6::uuid is null or related_object_id = $6)
             order by coalesce(occurred_at, created_at) desc, id desc
             offset $9 limit $10",
            $user_id.as_uuid(),
            $filter.channel,
            $filter.status,
            $filter.unread,
            $filter.related_object_type,
            $filter.related_object_id,
            $range.after.at,
            $range.after.id,
            $range.offset,
            $range.limit,
        )
        .fetch_all($connection)
        .await
    };
    (count $condition:tt, $connection:ident, $user_id:ident, $filter:ident) => {
        sqlx::query_scalar!(
            "select count(*) as \"total!\" from communications_notification
             where user_id = $1 and " + $condition + " and deleted_at is null
               and ($2::text is null or type = $2)
               and ($3::text is null or status = $3)
               and ($4::boolean is null or (read_at is null) = $4)
               and ($5::text is null or related_object_type = $5)
               and ($6::uuid is null or related_object_id = $6)",
            $user_id.as_uuid(),
            $filter.channel,
            $filter.status,
            $filter.unread,
            $filter.related_object_type,
            $filter.related_object_id,
        )
        .fetch_one($connection)
        .await
    };
}

/// Returns a part of a user's notifications, in the order in which it happened, the newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    user_id: UserId,
    filter: &Filter,
    range: Range,
) -> sqlx::Result<Vec<Notification>> {
    match (filter.archived, filter.unread) {
        (true, _) => select!(rows "archived_at is not null", connection, user_id, filter, range),
        (false, Some(true)) => {
            select!(rows "archived_at is null and read_at is null", connection, user_id, filter, range)
        }
        (false, _) => select!(rows "archived_at is null", connection, user_id, filter, range),
    }
}

/// Counts the notifications of a whole list. The inbox itself is counted already.
pub(crate) async fn total(
    connection: &mut PgConnection,
    user_id: UserId,
    filter: &Filter,
) -> sqlx::Result<i64> {
    let only = |unread| Filter {
        unread,
        ..Filter::default()
    };
    if *filter == only(None) || *filter == only(Some(true)) {
        let count = inboxes::count(connection, user_id).await?;
        if let Some(count) = count {
            return Ok(if filter.unread.is_some() {
                count.unread
            } else {
                count.total
            });
        }
    }
    match (filter.archived, filter.unread) {
        (true, _) => select!(count "archived_at is not null", connection, user_id, filter),
        (false, Some(true)) => {
            select!(count "archived_at is null and read_at is null", connection, user_id, filter)
        }
        (false, _) => select!(count "archived_at is null", connection, user_id, filter),
    }
}

/// Returns a notification of a user, unless it is deleted.
pub(crate) async fn one(
    connection: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
) -> sqlx::Result<Option<Notification>> {
    sqlx::query_as!(
        Notification,
        "select id, user_id, type as channel, title, content, related_object_type, related_object_id, created_at,
                sent_at, status, attempts, last_error, metadata, read_at, archived_at, kind, arguments,
                coalesce(occurred_at, created_at) as \"happened_at!\"
         from communications_notification where user_id = $1 and id = $2 and deleted_at is null",
        user_id.as_uuid(),
        id
    )
    .fetch_optional(connection)
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
                sent_at, status, attempts, last_error, metadata, read_at, archived_at, kind, arguments,
                coalesce(occurred_at, created_at) as \"happened_at!\"
         from communications_notification where related_object_type = 'student' and deleted_at is null
         order by id desc limit $1",
        limit
    )
    .fetch_all(connection)
    .await
}
