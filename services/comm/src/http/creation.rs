//! Notifies a user on behalf of an administrator. Other systems publish events.

use super::{
    notifications::{Notification, unknown},
    view::{LanguageQuery, Viewer},
};
use crate::{
    actions,
    domain::{Announcement, kinds::NOTICE},
    store::notifications,
};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use events::{Role, UserId};
use messaging::{Claim, RequestKey};
use serde_json::Value;
use service_kit::{
    body,
    http::{
        Common, CurrentUser, IdempotencyKey, Problem,
        body::{JsonObject, Object, OptionalId, OptionalText, RequiredText},
        detached,
        docs::problems,
        list::{Choice, OneOf},
    },
};
use sqlx::PgPool;
use uuid::Uuid;

/// The channels that exist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Channel {
    System,
}

impl Choice for Channel {
    const ALL: &'static [(&'static str, Self)] = &[("system", Self::System)];
}

body! {
    /// A notification for a user.
    pub(super) struct NewNotification {
        /// The user.
        user_id: Uuid = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The channel: `system` is the inbox, and the only one.
        r#type: Option<OneOf<Channel>> = "system",
        /// One line.
        title: RequiredText<200> = "Documents are missing",
        /// The text.
        content: Option<OptionalText<4000>> = "Please bring your insurance certificate.",
        /// What it is about, such as `stage`.
        related_object_type: Option<OptionalText<64>> = "stage",
        /// The id of what it is about.
        related_object_id: Option<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3e",
        /// For programs.
        metadata: Option<JsonObject<4096>> = {"document": "insurance"},
    }
}

/// Notifies a user. For administrators.
#[utoipa::path(
    post,
    path = "/comm/api/notifications",
    tag = "notifications",
    security(("access_token" = [])),
    params(IdempotencyKey, LanguageQuery),
    request_body = NewNotification,
    responses((status = CREATED, description = "The notification.", body = Notification)),
    extensions(("x-problems" = json!(problems(&[&Common::Forbidden, &Common::NotFound]))))
)]
pub(super) async fn create(
    user: CurrentUser,
    State(pool): State<PgPool>,
    IdempotencyKey(key): IdempotencyKey,
    viewer: Viewer,
    body: Object,
) -> Result<Response, Problem> {
    user.require(Role::Admin)?;
    let scope = format!("{} notifications", user.id);
    let key = key.map(|key| RequestKey::new(&scope, key, &body.canonical()));
    let announcement = announcement(body.into_body()?);
    let (id, user_id) = (announcement.id, announcement.user_id);
    let (id, response) = detached(async move {
        let mut tx = pool.begin().await?;
        let claim = match &key {
            Some(key) => key.claim(&mut tx, id).await?,
            None => Claim::First,
        };
        let created = match claim {
            Claim::First => {
                let is_created = actions::announce(&mut tx, &announcement).await?;
                let missing = || Problem::not_found("There is no such user.");
                is_created.then_some(()).ok_or_else(missing)?;
                notifications::one(&mut tx, user_id, id).await?
            }
            Claim::Repeat(first) => notifications::one(&mut tx, user_id, first).await?,
            Claim::Reused => return Err(Common::KeyReused.into()),
        };
        let view = viewer.view(&mut tx, user.id).await?;
        tx.commit().await?;
        let created = created.ok_or_else(unknown)?;
        Ok((created.id, view.respond(Json(view.show(created)))))
    })
    .await?;
    tracing::info!(notification_id = %id, "An administrator notified user {user_id}");
    Ok((StatusCode::CREATED, response).into_response())
}

fn announcement(body: NewNotification) -> Announcement {
    Announcement {
        id: Uuid::now_v7(),
        user_id: UserId::from(body.user_id),
        kind: NOTICE,
        title: body.title.0,
        content: body.content.and_then(|text| text.0).unwrap_or_default(),
        related_object_type: body.related_object_type.and_then(|text| text.0),
        related_object_id: body.related_object_id.and_then(|id| id.0),
        metadata: Value::Object(body.metadata.unwrap_or_default().0),
    }
}
