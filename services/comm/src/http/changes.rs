//! Changes one's own notifications.

use super::{
    notifications::{Notification, parse_id, unknown},
    position::{Until, at},
    view::{LanguageQuery, Viewer},
};
use crate::{actions, domain::Change};
use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use serde::Serialize;
use service_kit::{
    body,
    http::{Body, CurrentUser, Problem, detached},
};
use sqlx::PgPool;
use utoipa::ToSchema;

/// Defines a route that changes one notification, and returns it as it is then.
macro_rules! route {
    ($(#[doc = $about:literal])+ $name:ident $path:literal $change:ident) => {
        $(#[doc = $about])+
        #[utoipa::path(
            post,
            path = $path,
            tag = "notifications",
            security(("access_token" = [])),
            params(("id" = uuid::Uuid, Path, description = "The notification."), LanguageQuery),
            responses((
                status = OK,
                description = "The notification, as it is now.",
                body = Notification,
                headers(
                    ("Content-Language" = String, description = "The language of the texts."),
                    ("X-Inbox-Seq" = String,
                     description = "`<epoch>.<seq>`: the state of the inbox that the response shows."),
                ),
            ))
        )]
        pub(super) async fn $name(
            user: CurrentUser,
            Path(id): Path<String>,
            viewer: Viewer,
            State(pool): State<PgPool>,
        ) -> Result<Response, Problem> {
            let view = viewer.view(&mut *pool.acquire().await?, user.id).await?;
            let changed = change(user, &id, pool, Change::$change).await?;
            let notification = changed.notification.ok_or_else(unknown)?;
            Ok(view.respond(at(changed.position, Json(view.show(notification)))))
        }
    };
}

route!(
    /// Marks one of one's own notifications as read. The first time counts.
    read "/comm/api/notifications/{id}/read" Read
);
route!(
    /// Marks one of one's own notifications as not read.
    unread "/comm/api/notifications/{id}/unread" Unread
);
route!(
    /// Archives one of one's own notifications: the inbox does not show or count it any more.
    archive "/comm/api/notifications/{id}/archive" Archive
);
route!(
    /// Puts an archived notification back into the inbox.
    unarchive "/comm/api/notifications/{id}/unarchive" Unarchive
);
route!(
    /// Undoes a deletion, within 10 minutes.
    restore "/comm/api/notifications/{id}/restore" Restore
);

/// That a notification was deleted.
#[derive(Serialize, ToSchema)]
pub(super) struct Deleted {
    #[schema(examples(true))]
    success: bool,
    #[schema(examples("Notification deleted"))]
    message: &'static str,
}

/// Deletes one of one's own notifications. For 10 minutes it can be restored.
#[utoipa::path(
    delete,
    path = "/comm/api/notifications/{id}",
    tag = "notifications",
    security(("access_token" = [])),
    params(("id" = uuid::Uuid, Path, description = "The notification.")),
    responses((
        status = OK,
        description = "It is deleted.",
        body = Deleted,
        headers(("X-Inbox-Seq" = String,
                 description = "`<epoch>.<seq>`: the state of the inbox that the response shows.")),
    ))
)]
pub(super) async fn delete(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let changed = change(user, &id, pool, Change::Delete).await?;
    let deleted = Deleted {
        success: true,
        message: "Notification deleted",
    };
    Ok(at(changed.position, Json(deleted)))
}

async fn change(
    user: CurrentUser,
    id: &str,
    pool: PgPool,
    change: Change,
) -> Result<actions::Changed, Problem> {
    let id = parse_id(id)?;
    detached(async move {
        let mut tx = pool.begin().await?;
        let changed = actions::change(&mut tx, user.id, id, change).await?;
        tx.commit().await?;
        changed.ok_or_else(unknown)
    })
    .await
}

body! {
    /// Up to where all is read.
    pub(super) struct ReadAll {
        /// The `seq` that the client has shown: what came later stays unread. Without it, everything is marked.
        until_seq: Option<Until> = 42,
    }
}

/// How many notifications were marked.
#[derive(Serialize, ToSchema)]
pub(super) struct AllRead {
    updated: i64,
    /// How many are unread now.
    unread_count: i64,
}

/// Marks all of one's own notifications as read, up to a moment. Archived ones stay as they are.
#[utoipa::path(
    post,
    path = "/comm/api/notifications/read-all",
    tag = "notifications",
    security(("access_token" = [])),
    request_body = Option<ReadAll>,
    responses((
        status = OK,
        description = "They are read.",
        body = AllRead,
        headers(("X-Inbox-Seq" = String,
                 description = "`<epoch>.<seq>`: the state of the inbox that the response shows.")),
    ))
)]
pub(super) async fn read_all(
    user: CurrentUser,
    State(pool): State<PgPool>,
    body: Option<Body<ReadAll>>,
) -> Result<Response, Problem> {
    let until = body.and_then(|Body(body)| body.until_seq);
    detached(async move {
        let mut tx = pool.begin().await?;
        let until_seq = until.map(|until| until.0);
        let (updated, position) = actions::read_all(&mut tx, user.id, until_seq).await?;
        tx.commit().await?;
        let unread_count = position.unread;
        Ok(at(
            position,
            Json(AllRead {
                updated,
                unread_count,
            }),
        ))
    })
    .await
}
