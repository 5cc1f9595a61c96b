//! One's own notifications.

use crate::store::notifications::{self, Filter};
use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use events::{Event as _, profile::StudentCreated};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::http::{CurrentUser, Problem, detached, problem::FieldErrors};
use sqlx::PgPool;
use std::collections::HashMap;
use utoipa::{
    ToSchema,
    openapi::{Object as Schema, ObjectBuilder, Type},
};
use uuid::Uuid;

/// How many notifications a page has at most, and how many the bare list has.
const PAGE: i64 = 100;
/// The highest number of a page.
const MAX_PAGE: i64 = 1_000_000;

/// How a notification reaches its user; `system` is the inbox.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes the values of a text")]
enum Channel {
    System,
    Email,
    Push,
}

/// Whether a notification has reached its channel.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "describes the values of a text")]
enum Status {
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

/// A page of notifications.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    data: Vec<Notification>,
    /// How many there are on all pages.
    total: i64,
    /// This page's number, from 1.
    page: i64,
    /// How many a page has.
    #[schema(examples(20))]
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
}

/// Notifications, newest first.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Notifications {
    /// Without `page` and `limit`: the first hundred.
    Bare(Vec<Notification>),
    /// With one of them.
    Page(Page),
}

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
    params(
        ("page" = Option<i64>, Query, description = "From 1.", minimum = 1, maximum = 1_000_000),
        ("limit" = Option<i64>, Query, description = "How many a page has; 20 when only `page` is given.", minimum = 1, maximum = 100),
        ("unread" = Option<bool>, Query, description = "Only those that were not read, or only those that were."),
        ("type" = inline(Option<Channel>), Query, description = "Only those of this channel.", example = "system"),
        ("status" = inline(Option<Status>), Query, description = "Only those with this status.", example = "sent"),
    ),
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
    Query(parameters): Query<HashMap<String, String>>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let query = ListQuery::parse(&parameters)?;
    let mut connection = pool.acquire().await?;
    let offset = (query.page - 1) * query.limit;
    let (rows, total) =
        notifications::list(&mut connection, user.id, &query.filter, offset, query.limit).await?;
    let data: Vec<Notification> = rows.into_iter().map(Notification::from).collect();
    if query.paged {
        let total_pages = (total + query.limit - 1) / query.limit;
        let page = Page {
            data,
            total,
            page: query.page,
            per_page: query.limit,
            total_pages,
        };
        return Ok(Json(Notifications::Page(page)).into_response());
    }
    let more = total > data.len() as i64;
    let mut response = Json(Notifications::Bare(data)).into_response();
    response.headers_mut().insert("x-total-count", total.into());
    if more {
        let next =
            HeaderValue::from_static("</comm/api/notifications/?page=2&limit=100>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
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

/// The query of a list. Unknown parameters are ignored, because the old front end sends some.
struct ListQuery {
    page: i64,
    limit: i64,
    paged: bool,
    filter: Filter,
}

impl ListQuery {
    fn parse(parameters: &HashMap<String, String>) -> Result<Self, Problem> {
        let mut errors = FieldErrors::new();
        let mut number = |name: &str, default: i64, most: i64| -> i64 {
            let Some(text) = parameters.get(name) else {
                return default;
            };
            text.parse()
                .ok()
                .filter(|number| (1..=most).contains(number))
                .unwrap_or_else(|| {
                    errors.insert(
                        name.into(),
                        vec![format!("Must be a number from 1 to {most}.")],
                    );
                    default
                })
        };
        let page = number("page", 1, MAX_PAGE);
        let limit = number(
            "limit",
            if parameters.contains_key("page") {
                20
            } else {
                PAGE
            },
            PAGE,
        );
        let unread = parameters
            .get("unread")
            .and_then(|text| match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => {
                    errors.insert("unread".into(), vec!["Must be true or false.".into()]);
                    None
                }
            });
        if !errors.is_empty() {
            return Err(Problem::validation(errors));
        }
        let text = |name: &str| {
            parameters
                .get(name)
                .filter(|text| !text.is_empty())
                .map(|text| text.replace('\0', ""))
        };
        let filter = Filter {
            channel: text("type"),
            status: text("status"),
            unread,
        };
        Ok(Self {
            page,
            limit,
            paged: parameters.contains_key("page") || parameters.contains_key("limit"),
            filter,
        })
    }
}

/// A text that is not an id names no notification.
fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("There is no such notification.")
}
