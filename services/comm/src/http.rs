//! The door for users.

use crate::store::notifications::{self, Filter, Notification};
use axum::{
    Json, Router,
    extract::{FromRef, Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;
use serde_json::Value;
use service_kit::http::{CurrentUser, Problem, Verifier, detached, docs, problem::FieldErrors};
use service_kit::{Start, config::VerifierConfig};
use sqlx::PgPool;
use std::collections::HashMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// How many notifications a page has at most, and how many the bare list has.
const PAGE: i64 = 100;

#[derive(Clone, FromRef)]
struct App {
    pool: PgPool,
    verifier: Verifier,
}

/// Starts the API: makes the router, and keeps the public keys of auth-service fresh.
///
/// # Errors
/// When no HTTP client can be made.
pub(crate) async fn start(start: Start<VerifierConfig>) -> anyhow::Result<Router> {
    let verifier = Verifier::remote(&start.config.token, &start.config.jwks)?;
    start.process.spawn(
        "public keys",
        verifier.clone().keep_fresh(start.process.stopping()),
    );
    let (router, document) = documented();
    let app = App {
        pool: start.pool,
        verifier,
    };
    Ok(router
        .with_state(app)
        .merge(docs::page("/comm/api/docs", document)))
}

/// What this service answers, as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<App>, Value) {
    let routes = OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(unread_count))
        .routes(routes!(one))
        .routes(routes!(read));
    docs::documented("comm-service", "What users are told.", routes)
}

/// A page of notifications.
#[derive(Serialize, ToSchema)]
struct Page {
    data: Vec<Notification>,
    /// How many there are on all pages.
    total: i64,
    /// This page's number, from 1.
    page: i64,
    /// How many a page has.
    per_page: i64,
    /// How many pages there are.
    total_pages: i64,
}

/// Notifications, newest first.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Notifications {
    /// Without `page` and `limit`: the first hundred.
    Bare(Vec<Notification>),
    /// With one of them.
    Page(Page),
}

/// How many are unread.
#[derive(Serialize, ToSchema)]
struct Unread {
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
        ("limit" = Option<i64>, Query, description = "How many a page has.", minimum = 1, maximum = 100),
        ("unread" = Option<bool>, Query, description = "Only those that were not read, or only those that were."),
        ("type" = Option<String>, Query, description = "Only those of this channel.", example = "system"),
        ("status" = Option<String>, Query, description = "Only those with this status.", example = "sent"),
    ),
    responses((status = OK, description = "The notifications.", body = Notifications))
)]
async fn list(
    user: CurrentUser,
    Query(query): Query<HashMap<String, String>>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let asked = Asked::parse(&query)?;
    let mut connection = pool.acquire().await?;
    let offset = (asked.page - 1) * asked.limit;
    let (data, total) =
        notifications::list(&mut connection, user.id, &asked.filter, offset, asked.limit).await?;
    if asked.paged {
        let total_pages = (total + asked.limit - 1) / asked.limit;
        let page = Page {
            data,
            total,
            page: asked.page,
            per_page: asked.limit,
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
async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    let mut connection = pool.acquire().await?;
    notifications::one(&mut connection, user.id, id)
        .await?
        .map(Json)
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
async fn read(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    detached(async move {
        let mut connection = pool.acquire().await?;
        notifications::mark_read(&mut connection, user.id, id)
            .await?
            .map(Json)
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
async fn unread_count(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Unread>, Problem> {
    let mut connection = pool.acquire().await?;
    let unread_count = notifications::unread_count(&mut connection, user.id).await?;
    Ok(Json(Unread { unread_count }))
}

/// What a list is asked for. Unknown parameters are ignored: the old front end sends some.
struct Asked {
    page: i64,
    limit: i64,
    paged: bool,
    filter: Filter,
}

impl Asked {
    fn parse(query: &HashMap<String, String>) -> Result<Self, Problem> {
        let mut errors = FieldErrors::new();
        let mut number = |name: &str, default: i64, most: i64| -> i64 {
            let Some(text) = query.get(name) else {
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
        let page = number("page", 1, 1_000_000);
        let limit = number(
            "limit",
            if query.contains_key("page") { 20 } else { PAGE },
            PAGE,
        );
        let unread = query.get("unread").and_then(|text| match text.as_str() {
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
            query
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
            paged: query.contains_key("page") || query.contains_key("limit"),
            filter,
        })
    }
}

/// An id that is none names nothing.
fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("There is no such notification.")
}
