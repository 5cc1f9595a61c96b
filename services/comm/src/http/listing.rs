//! Reads one's own notifications.

use super::{
    cursor::{self, PageAfter},
    notifications::{Channel, Notification, Status, parse_id, unknown},
    position::at,
    view::{LanguageQuery, Viewer},
};
use crate::{
    domain::{Language, texts},
    store::{
        inboxes,
        notifications::{self, Cursor, Filter, Range},
    },
};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use events::{Role, UserId};
use serde::Serialize;
use service_kit::{
    http::{
        CurrentUser, Problem,
        body::OptionalText,
        detached,
        list::{Flag, List, ListQuery, OneOf, PageParameters},
    },
    query,
};
use sqlx::PgPool;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{OneOfBuilder, Ref, RefOr, schema::Schema},
};
use uuid::Uuid;

query! {
    /// Which notifications the list has.
    pub(super) struct NotificationQuery {
        /// Only those that were not read, or only those that were.
        unread: Flag = "true",
        /// Those that the user has archived, instead of those in the inbox.
        archived: Flag = "false",
        /// Only those of this channel.
        r#type: OneOf<Channel> = "system",
        /// Only those with this status.
        status: OneOf<Status> = "sent",
        /// Only those about objects of this type, such as `stage`.
        related_object_type: OptionalText<64> = "student",
        /// Only those about this object.
        related_object_id: Uuid = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// `newest`, or the `next_cursor` of the response before: a part of `limit` notifications, without numbers.
        /// It is found as fast at the end of a list as at its beginning, and new notifications do not move it.
        cursor: cursor::At = "newest",
        /// The language of the texts. Without it: that of `Accept-Language`, else the one that the user has chosen, else
        /// English.
        lang: OneOf<Language> = "fr",
    }
}

/// Notifications, newest first: a [`List`], or with `cursor` a [`PageAfter`].
pub(super) struct Notifications;

impl PartialSchema for Notifications {
    fn schema() -> RefOr<Schema> {
        let list = Ref::from_schema_name(List::<Notification>::name());
        let after = Ref::from_schema_name(PageAfter::name());
        OneOfBuilder::new().item(list).item(after).into()
    }
}

impl ToSchema for Notifications {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((
            List::<Notification>::name().into(),
            List::<Notification>::schema(),
        ));
        schemas.push((PageAfter::name().into(), PageAfter::schema()));
        List::<Notification>::schemas(schemas);
        PageAfter::schemas(schemas);
    }
}

/// How many are unread.
#[derive(Serialize, ToSchema)]
pub(super) struct Unread {
    unread_count: i64,
    /// The same in words.
    #[schema(examples("You have 3 unread notifications."))]
    text: String,
}

/// One's own notifications, newest first.
///
/// The first hundred as a bare array, with their number in `X-Total-Count`; with `page` or `limit` a page with its
/// numbers; with `cursor` a part without numbers.
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
            ("Content-Language" = String, description = "The language of the texts."),
            ("X-Inbox-Seq" = String, description = "`<epoch>.<seq>`: the state of the inbox that the response shows."),
            ("X-Total-Count" = i64, description = "How many there are. Only without `page`, `limit` and `cursor`."),
            ("Link" = String, description = "The next page (`rel=\"next\"`), where there is one; its shape is `Page`. \
                                             Only without `page`, `limit` and `cursor`."),
        ),
    ))
)]
pub(super) async fn list(
    user: CurrentUser,
    query: ListQuery<NotificationQuery>,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    respond(pool, user.id, query, viewer).await
}

/// The notifications of a user, for the user and for administrators.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/user/{user_id}",
    tag = "notifications",
    security(("access_token" = [])),
    params(("user_id" = Uuid, Path, description = "The user."), NotificationQuery, PageParameters),
    responses((
        status = OK,
        description = "The notifications, as in the list of one's own.",
        body = Notifications,
        headers(
            ("Content-Language" = String, description = "The language of the texts."),
            ("X-Inbox-Seq" = String, description = "`<epoch>.<seq>`: the state of the inbox that the response shows."),
            ("X-Total-Count" = i64, description = "How many there are. Only without `page`, `limit` and `cursor`."),
            ("Link" = String, description = "The next page (`rel=\"next\"`), where there is one; its shape is `Page`. \
                                             Only without `page`, `limit` and `cursor`."),
        ),
    ))
)]
pub(super) async fn of_user(
    user: CurrentUser,
    Path(user_id): Path<String>,
    query: ListQuery<NotificationQuery>,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let missing = || Problem::not_found("There is no such user.");
    let user_id: UserId = user_id.parse().map_err(|_| missing())?;
    if user_id != user.id && user.role != Role::Admin {
        return Err(missing());
    }
    respond(pool, user_id, query, viewer).await
}

/// A plan for any user and any filter would read and sort all rows of a user who has many.
const SNAPSHOT: &str =
    "begin isolation level repeatable read; set local plan_cache_mode = force_custom_plan";

/// Reads the notifications, their number and the position in one snapshot.
async fn respond(
    pool: PgPool,
    user_id: UserId,
    query: ListQuery<NotificationQuery>,
    viewer: Viewer,
) -> Result<Response, Problem> {
    let ListQuery { own, paging } = query;
    let cursor = own.cursor;
    let filter = Filter {
        archived: own.archived.is_some_and(|archived| archived.0),
        channel: own.r#type.map(OneOf::name),
        status: own.status.map(OneOf::name),
        unread: own.unread.map(|unread| unread.0),
        related_object_type: own.related_object_type.and_then(|text| text.0),
        related_object_id: own.related_object_id,
    };
    detached(async move {
        let mut tx = pool.begin_with(SNAPSHOT).await?;
        let position = inboxes::position(&mut tx, user_id).await?;
        let view = viewer.view(&mut tx, user_id).await?;
        let range = Range {
            after: cursor.map_or_else(Cursor::newest, |cursor| cursor.0),
            offset: if cursor.is_some() { 0 } else { paging.offset() },
            // One more tells whether there is a next part.
            limit: paging.limit() + i64::from(cursor.is_some()),
        };
        let rows = notifications::list(&mut tx, user_id, &filter, range).await?;
        let response = if cursor.is_some() {
            at(position, Json(PageAfter::new(rows, paging.limit(), &view)))
        } else {
            // A short first page is the whole list.
            let is_whole = range.offset == 0 && (rows.len() as i64) < range.limit;
            let total = match is_whole {
                true => rows.len() as i64,
                false => notifications::total(&mut tx, user_id, &filter).await?,
            };
            let rows: Vec<Notification> = rows.into_iter().map(|row| view.show(row)).collect();
            at(position, paging.respond(rows, total))
        };
        tx.commit().await?;
        Ok(view.respond(response))
    })
    .await
}

/// One of one's own notifications.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/{id}",
    tag = "notifications",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The notification."), LanguageQuery),
    responses((status = OK, description = "The notification.", body = Notification,
               headers(("Content-Language" = String, description = "The language of the texts."))))
)]
pub(super) async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let id = parse_id(&id)?;
    let mut connection = pool.acquire().await?;
    let row = notifications::one(&mut connection, user.id, id).await?;
    let row = row.ok_or_else(unknown)?;
    let view = viewer.view(&mut connection, user.id).await?;
    Ok(view.respond(Json(view.show(row))))
}

/// How many of one's own notifications are unread: neither read nor archived.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/unread-count",
    tag = "notifications",
    security(("access_token" = [])),
    params(LanguageQuery),
    responses((
        status = OK,
        description = "Their number.",
        body = Unread,
        headers(
            ("Content-Language" = String, description = "The language of the texts."),
            ("X-Inbox-Seq" = String, description = "`<epoch>.<seq>`: the state of the inbox that the response shows."),
        ),
    ))
)]
pub(super) async fn unread_count(
    user: CurrentUser,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let mut connection = pool.acquire().await?;
    let position = inboxes::position(&mut connection, user.id).await?;
    let unread_count = position.unread;
    let view = viewer.view(&mut connection, user.id).await?;
    let text = texts::unread(unread_count.unsigned_abs(), view.language);
    Ok(view.respond(at(position, Json(Unread { unread_count, text }))))
}
