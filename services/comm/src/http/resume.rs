//! What a socket would have said, for clients that ask from time to time.

use super::{
    notifications::Notification,
    position::{Since, at},
    view::{View, Viewer},
};
use crate::{
    domain::Language,
    store::{
        inboxes,
        resume::{self, Changes},
    },
};
use axum::{Json, extract::State, response::Response};
use serde::Serialize;
use service_kit::{
    http::{
        CurrentUser, Problem,
        list::{ListQuery, OneOf},
    },
    query,
};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

query! {
    /// The position that the client knows: both parts of an `X-Inbox-Seq`. Without them nothing has changed.
    pub(super) struct ChangesQuery {
        /// The part before the dot.
        epoch: Uuid = "0197f3a26c1e7c4a9f0e5d2f8a1b6c3d",
        /// The part after the dot.
        since: Since = "42",
        /// The language of the texts. Without it: that of `Accept-Language`, else the one that the user has chosen, else
        /// English.
        lang: OneOf<Language> = "fr",
    }
}

/// What a client has to do.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Type {
    /// Apply `items` and `gone`.
    Changes,
    /// Load the inbox anew.
    Reset,
}

/// What has changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangesSince {
    #[schema(inline)]
    r#type: Type,
    /// The epoch, as in `X-Inbox-Seq`.
    #[schema(examples("0197f3a26c1e7c4a9f0e5d2f8a1b6c3d"))]
    epoch: String,
    /// The position afterwards.
    #[schema(examples(43))]
    seq: i64,
    /// How many notifications are unread.
    #[schema(examples(1))]
    unread: i64,
    /// The notifications that have changed or are new, as they are now.
    items: Vec<Notification>,
    /// The notifications that were deleted.
    gone: Vec<Uuid>,
}

/// What has changed in one's own inbox since a position.
///
/// A reset says that the client has to load the inbox anew, because what it knows is of another database, or too old.
#[utoipa::path(
    get,
    path = "/comm/api/notifications/changes",
    tag = "notifications",
    security(("access_token" = [])),
    params(ChangesQuery),
    responses((
        status = OK,
        description = "The changes.",
        body = ChangesSince,
        headers(
            ("Content-Language" = String, description = "The language of the texts."),
            ("X-Inbox-Seq" = String, description = "`<epoch>.<seq>`: the state of the inbox that the response shows."),
        ),
    ))
)]
pub(super) async fn changes(
    user: CurrentUser,
    query: ListQuery<ChangesQuery>,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let mut connection = pool.acquire().await?;
    let known = query.own.epoch.zip(query.own.since);
    let changes = match known {
        None => None,
        Some((epoch, Since(seq))) => {
            let user_id = user.id;
            let since = resume::Since {
                user_id,
                epoch,
                seq,
            };
            resume::changes_since(&mut connection, &[since])
                .await?
                .pop()
        }
    };
    let changes = match changes {
        Some(changes) => changes,
        None => Changes {
            position: inboxes::position(&mut connection, user.id).await?,
            reset: false,
            items: Vec::new(),
            gone: Vec::new(),
        },
    };
    let view = viewer.view(&mut connection, user.id).await?;
    let position = changes.position;
    let body = ChangesSince::new(changes, &view);
    Ok(view.respond(at(position, Json(body))))
}

impl ChangesSince {
    fn new(changes: Changes, view: &View) -> Self {
        Self {
            r#type: if changes.reset {
                Type::Reset
            } else {
                Type::Changes
            },
            epoch: changes.position.epoch.simple().to_string(),
            seq: changes.position.seq,
            unread: changes.position.unread,
            items: changes
                .items
                .into_iter()
                .map(|row| view.show(row))
                .collect(),
            gone: changes.gone,
        }
    }
}
