//! The door for users.

use crate::store::notifications::{self, Filter, Notification};
use axum::{
    Json, Router,
    extract::{FromRef, Path, Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use service_kit::http::{CurrentUser, Problem, Verifier, detached, problem::FieldErrors};
use sqlx::PgPool;
use std::collections::HashMap;
use uuid::Uuid;

/// How many notifications a page has at most, and how many the bare list has.
const PAGE: i64 = 100;

#[derive(Clone, FromRef)]
struct App {
    pool: PgPool,
    verifier: Verifier,
}

/// All routes of comm-service.
pub fn router(pool: PgPool, verifier: Verifier) -> Router {
    Router::new()
        .route("/comm/api/notifications", get(list))
        .route("/comm/api/notifications/unread-count", get(unread_count))
        .route("/comm/api/notifications/{id}", get(one))
        .route("/comm/api/notifications/{id}/read", post(read))
        .with_state(App { pool, verifier })
}

/// The user's own notifications, newest first: the first hundred as a bare array, or with `page` or `limit` a
/// page with its numbers.
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
        let page = json!({"data": data, "total": total, "page": asked.page, "per_page": asked.limit,
                          "total_pages": total_pages});
        return Ok(Json(page).into_response());
    }
    let more = total > data.len() as i64;
    let mut response = Json(data).into_response();
    response.headers_mut().insert("x-total-count", total.into());
    if more {
        let next = HeaderValue::from_static("</comm/api/notifications/?page=2&limit=100>; rel=\"next\"");
        response.headers_mut().insert(header::LINK, next);
    }
    Ok(response)
}

async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    let mut connection = pool.acquire().await?;
    notifications::one(&mut connection, user.id, id).await?.map(Json).ok_or_else(unknown)
}

async fn read(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Notification>, Problem> {
    let id = parse_id(&id)?;
    detached(async move {
        let mut connection = pool.acquire().await?;
        notifications::mark_read(&mut connection, user.id, id).await?.map(Json).ok_or_else(unknown)
    })
    .await
}

async fn unread_count(user: CurrentUser, State(pool): State<PgPool>) -> Result<Json<Value>, Problem> {
    let mut connection = pool.acquire().await?;
    let count = notifications::unread_count(&mut connection, user.id).await?;
    Ok(Json(json!({"unread_count": count})))
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
            let Some(text) = query.get(name) else { return default };
            text.parse().ok().filter(|number| (1..=most).contains(number)).unwrap_or_else(|| {
                errors.insert(name.into(), vec![format!("Must be a number from 1 to {most}.")]);
                default
            })
        };
        let page = number("page", 1, 1_000_000);
        let limit = number("limit", if query.contains_key("page") { 20 } else { PAGE }, PAGE);
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
        let text =
            |name: &str| query.get(name).filter(|text| !text.is_empty()).map(|text| text.replace('\0', ""));
        let filter = Filter { channel: text("type"), status: text("status"), unread };
        Ok(Self { page, limit, paged: query.contains_key("page") || query.contains_key("limit"), filter })
    }
}

/// An id that is none names nothing.
fn parse_id(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("There is no such notification.")
}
