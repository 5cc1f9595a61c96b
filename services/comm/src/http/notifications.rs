//! One's own notifications.

use crate::store::notifications::{self, Filter};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use events::{Event as _, profile::StudentCreated};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::{
    http::{
        CurrentUser, Problem, detached,
        list::{Choice, Flag, List, ListQuery, OneOf, PageParameters},
    },
    query,
};
use sqlx::PgPool;
use utoipa::{
    ToSchema,
    openapi::{Object as Schema, ObjectBuilder, Type},
};
use uuid::Uuid;

/// How a notification reaches its user; `system` is the inbox.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum Channel {
    System,
    Email,
    Push,
}

/// Whether a notification has reached its channel.
#[derive(Clone, Copy, Debug, PartialEq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(super) enum Status {
    Sent,
    Pending,
    Failed,
}

/// A notification, as stored and as its user sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct Notification {
    /// The notification.
    id: Uuid,
    /// The user whose inbox holds it.
    user_id: Uuid,
    #[serde(rename = "type")]
    #[schema(inline, value_type = Channel)]
    channel: String,
    /// One line.
    #[schema(examples("Welcome to MedTrack!"))]
    title: String,
    /// The text.
    #[schema(examples("Hello John Doe! Your student profile has been created successfully."))]
    content: String,
    /// What it is about, such as `student`.
    #[schema(examples("student"))]
    related_object_type: Option<String>,
    /// The id of what it is about.
    related_object_id: Option<Uuid>,
    /// When it was written.
    created_at: DateTime<Utc>,
    /// When it reached its channel.
    sent_at: Option<DateTime<Utc>>,
    #[schema(inline, value_type = Status)]
    status: String,
    /// Failed deliveries over its channel.
    #[schema(examples(0))]
    attempts: i32,
    /// The last failed delivery's cause.
    last_error: Option<String>,
    #[schema(schema_with = metadata_schema)]
    metadata: Value,
    /// When the user had read it.
    read_at: Option<DateTime<Utc>>,
}

fn metadata_schema() -> Schema {
    let about = "For programs: the routing key of the event, and the ids that it names.";
    let object = ObjectBuilder::new().schema_type(Type::Object);
    let example = json!({"event": StudentCreated::KEY, "student_id": Uuid::nil()});
    object.description(Some(about)).examples([example]).build()
}

impl From<notifications::Notification> for Notification {
    fn from(row: notifications::Notification) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            channel: row.channel,
            title: row.title,
            content: row.content,
            related_object_type: row.related_object_type,
            related_object_id: row.related_object_id,
            created_at: row.created_at,
            sent_at: row.sent_at,
            status: row.status,
            attempts: row.attempts,
            last_error: row.last_error,
            metadata: row.metadata,
            read_at: row.read_at,
        }
    }
}

impl Choice for Channel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("system", Self::System),
        ("email", Self::Email),
        ("push", Self::Push),
    ];
}

impl Choice for Status {
    const ALL: &'static [(&'static str, Self)] = &[
        ("sent", Self::Sent),
        ("pending", Self::Pending),
        ("failed", Self::Failed),
    ];
}

query! {
    /// Which notifications the list has.
    pub(super) struct NotificationQuery {
        /// Only those that were not read, or only those that were.
        unread: Flag = "true",
        /// Only those of this channel.
        r#type: OneOf<Channel> = "system",
        /// Only those with this status.
        status: OneOf<Status> = "sent",
    }
}

/// Notifications, newest first.
type Notifications = List<Notification>;

/// How many are unread.
#[derive(Serialize, ToSchema)]
pub(super) struct Unread {
    unread_count: i64,
}

/// One's own notifications, newest first.
///
/// The first hundred as a bare array, with their number in `X-Total-Count`; with `page` or `limit` a page with its
/// numbers.
#[utoipa::path(
    get,
    path = "/comm/api/notifications",
    tag = "notifications",
    security(("access_token" = [])),
    params(NotificationQuery, PageParameters),
    responses((
        status = OK,
        description = "The notifications.",
        body = Notifications,
        headers(
            ("X-Total-Count" = i64, description = "How many there are. Only without `page` and `limit`."),
            ("Link" = String, description = "The next page (`rel=\"next\"`), where there is one; its shape is `Page`. \
                                             Only without `page` and `limit`."),
        ),
    ))
)]
pub(super) async fn list(
    user: CurrentUser,
    query: ListQuery<NotificationQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let filter = Filter {
        channel: query.own.r#type.map(OneOf::name),
        status: query.own.status.map(OneOf::name),
        unread: query.own.unread.map(|unread| unread.0),
    };
    let paging = query.paging;
    let mut connection = pool.acquire().await?;
    let (rows, total) = notifications::list(
        &mut connection,
        user.id,
        &filter,
        paging.offset(),
        paging.limit(),
    )
    .await?;
    let rows: Vec<Notification> = rows.into_iter().map(Notification::from).collect();
    Ok(paging.respond(rows, total))
}

/// One of one's own notifications.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/{id}",
    tag = "notifications",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The notification.")),
    responses((status = OK, description = "The notification.", body = Notification))
)]
pub(super) async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    let mut connection = pool.acquire().await?;
    notifications::one(&mut connection, user.id, id)
        .await?
        .map(|row| Json(row.into()))
        .ok_or_else(unknown)
}

/// Marks one of one's own notifications as read.
#[utoipa::path(
    post,
    path = "/comm/api/notifications/{id}/read",
    tag = "notifications",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The notification.")),
    responses((status = OK, description = "The notification, as it is now.", body = Notification))
)]
pub(super) async fn read(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    detached(async move {
        let mut connection = pool.acquire().await?;
        notifications::mark_read(&mut connection, user.id, id)
            .await?
            .map(|row| Json(row.into()))
            .ok_or_else(unknown)
    })
    .await
}

/// How many of one's own notifications are unread.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/unread-count",
    tag = "notifications",
    security(("access_token" = [])),
    responses((status = OK, description = "Their number.", body = Unread))
)]
pub(super) async fn unread_count(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Unread>, Problem> {
    let mut connection = pool.acquire().await?;
    let unread_count = notifications::unread_count(&mut connection, user.id).await?;
    Ok(Json(Unread { unread_count }))
}

/// A text that is not an id names no notification.
fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("There is no such notification.")
}
