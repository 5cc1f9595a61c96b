//! The views that each service's migrations define for operators, in the same shape in every database.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream::BoxStream};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// `medtrack prepare` changes this variable, so that cargo compiles the crate and sqlx describes its queries.
const _: Option<&str> = option_env!("MEDTRACK_PREPARE");

/// Returns the users with this e-mail, as this service knows them.
pub(crate) async fn users_of_email(
    connection: &mut PgConnection,
    email: &str,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select user_id as "user_id!" from operator_subject where kind = 'email' and value = lower($1) limit 2"#,
        email
    )
    .fetch_all(connection)
    .await
}

/// Returns the users whose profile has this id.
pub(crate) async fn users_of_profile(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select user_id as "user_id!" from operator_subject
           where kind in ('student_id', 'encadrant_id') and id = $1"#,
        id
    )
    .fetch_all(connection)
    .await
}

/// Returns the users whose address or name contains each of the words, at most `limit`. It reads all users.
pub(crate) async fn users_like(
    connection: &mut PgConnection,
    words: &[&str],
    limit: i64,
) -> sqlx::Result<Vec<Uuid>> {
    let escaped = |word: &&str| {
        let word = word.replace('\\', r"\\").replace('%', r"\%");
        format!("%{}%", word.replace('_', r"\_").to_lowercase())
    };
    let patterns: Vec<String> = words.iter().map(escaped).collect();
    sqlx::query_scalar!(
        r#"select distinct user_id as "user_id!" from operator_subject
           where kind in ('email', 'name') and lower(value) like all($1) limit $2"#,
        &patterns,
        limit
    )
    .fetch_all(connection)
    .await
}

/// Streams e-mail addresses, at most `limit`.
pub(crate) fn addresses(
    connection: &mut PgConnection,
    limit: i64,
) -> BoxStream<'_, sqlx::Result<String>> {
    sqlx::query_scalar!(
        r#"select value as "value!" from operator_subject where kind = 'email' limit $1"#,
        limit
    )
    .fetch(connection)
    .boxed()
}

/// How a user can be named.
#[derive(Debug)]
pub(crate) struct Subject {
    /// `email`, `name`, `role`, `student_id` or `encadrant_id`.
    pub(crate) kind: String,
    pub(crate) value: String,
    /// The value of a student_id or encadrant_id.
    pub(crate) id: Option<Uuid>,
}

/// Returns how this service names a user.
pub(crate) async fn subjects(
    connection: &mut PgConnection,
    user_id: Uuid,
) -> sqlx::Result<Vec<Subject>> {
    sqlx::query_as!(
        Subject,
        r#"select kind as "kind!", value as "value!", id from operator_subject where user_id = $1"#,
        user_id
    )
    .fetch_all(connection)
    .await
}

/// A notification that an event led to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Notification {
    pub(crate) notification_id: Uuid,
    pub(crate) user_id: Uuid,
    /// The event that led to it.
    pub(crate) source_event: Uuid,
    /// Which text it is: `welcome`, `stage.created`.
    pub(crate) kind: String,
    pub(crate) title: String,
    /// When it happened what it is about.
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) written_at: DateTime<Utc>,
    pub(crate) read_at: Option<DateTime<Utc>>,
}

/// Selects notifications. An empty field selects none.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotificationFilter {
    /// Those that these events led to.
    pub(crate) source_events: Vec<Uuid>,
    /// Those with these ids.
    pub(crate) notification_ids: Vec<Uuid>,
}

/// Returns the notifications that `filter` selects, the oldest first.
pub(crate) async fn notifications(
    connection: &mut PgConnection,
    filter: &NotificationFilter,
) -> sqlx::Result<Vec<Notification>> {
    sqlx::query_as!(
        Notification,
        // One part for each index.
        r#"select notification_id as "notification_id!", user_id as "user_id!", source_event as "source_event!",
                  kind as "kind!", title as "title!", occurred_at as "occurred_at!", happened_at as "written_at!",
                  read_at
           from operator_effect where source_event = any($1)
           union
           select notification_id, user_id, source_event, kind, title, occurred_at, happened_at, read_at
           from operator_effect where notification_id = any($2)
           order by 6, 1"#,
        &filter.source_events,
        &filter.notification_ids
    )
    .fetch_all(connection)
    .await
}

/// Returns the notifications of a user, the newest first, at most `limit`.
pub(crate) async fn notifications_of(
    connection: &mut PgConnection,
    user_id: Uuid,
    limit: i64,
) -> sqlx::Result<Vec<Notification>> {
    sqlx::query_as!(
        Notification,
        r#"select notification_id as "notification_id!", user_id as "user_id!", source_event as "source_event!",
                  kind as "kind!", title as "title!", occurred_at as "occurred_at!", happened_at as "written_at!",
                  read_at
           from operator_effect where user_id = $1 order by occurred_at desc, notification_id desc limit $2"#,
        user_id,
        limit
    )
    .fetch_all(connection)
    .await
}

/// What a service has recorded about a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownUser {
    pub(crate) user_id: Uuid,
    /// `None` where the service stores no versions.
    pub(crate) version: Option<i64>,
    pub(crate) erased: bool,
    /// The service has what a user of this role has there: a profile, a welcome.
    pub(crate) complete: bool,
    pub(crate) changed_at: Option<DateTime<Utc>>,
}

/// Returns what this service has recorded about a user.
pub(crate) async fn user(
    connection: &mut PgConnection,
    user_id: Uuid,
) -> sqlx::Result<Option<KnownUser>> {
    sqlx::query_as!(
        KnownUser,
        r#"select user_id as "user_id!", version, erased as "erased!", complete as "complete!", changed_at
           from operator_user where user_id = $1"#,
        user_id
    )
    .fetch_optional(connection)
    .await
}

/// Streams the users that this service knows, in the order of their ids.
pub(crate) fn users(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<KnownUser>> {
    sqlx::query_as!(
        KnownUser,
        r#"select user_id as "user_id!", version, erased as "erased!", complete as "complete!", changed_at
           from operator_user order by user_id"#
    )
    .fetch(connection)
    .boxed()
}

/// Returns the ids of the newest users that this service knows. Ids are made in the order of time.
pub(crate) async fn newest_users(
    connection: &mut PgConnection,
    most: i64,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"select user_id as "user_id!" from operator_user order by user_id desc limit $1"#,
        most
    )
    .fetch_all(connection)
    .await
}

/// Returns what this service has recorded about these users.
pub(crate) async fn users_of(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<Vec<KnownUser>> {
    sqlx::query_as!(
        KnownUser,
        r#"select user_id as "user_id!", version, erased as "erased!", complete as "complete!", changed_at
           from operator_user where user_id = any($1)"#,
        ids
    )
    .fetch_all(connection)
    .await
}
