//! What this service holds of the user who asks.

use super::{
    notifications::Notification,
    view::{LanguageQuery, Viewer},
};
use crate::{
    domain::Language,
    store::{notifications, preferences, recipients},
};
use axum::{Json, extract::State, response::Response};
use chrono::{DateTime, Utc};
use events::{Event as _, internships::StageStarted};
use serde::Serialize;
use service_kit::http::{CurrentUser, Problem};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// What comm-service holds of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Export {
    /// The user.
    user_id: Uuid,
    exported_at: DateTime<Utc>,
    /// The student profile by which events about internships name the user.
    student_id: Option<Uuid>,
    /// The kinds of notifications that the user has switched off.
    #[schema(examples(json!([StageStarted::KEY])))]
    switched_off: Vec<String>,
    /// The language that the user has chosen.
    #[schema(examples("fr"))]
    language: Option<&'static str>,
    /// All of them, the newest first.
    notifications: Vec<Notification>,
}

/// Returns what this service holds of the user, as one document.
#[utoipa::path(
    get,
    path = "/comm/api/export",
    tag = "own data",
    security(("access_token" = [])),
    params(LanguageQuery),
    responses((status = OK, description = "All of it.", body = Export,
               headers(("Content-Language" = String, description = "The language of the texts.")))),
)]
pub(super) async fn export(
    user: CurrentUser,
    viewer: Viewer,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let mut connection = pool.acquire().await?;
    let student_id = recipients::student_of(&mut connection, user.id).await?;
    let language = recipients::language(&mut connection, user.id).await?;
    let notifications = notifications::all(&mut connection, user.id).await?;
    let view = viewer.view(&mut connection, user.id).await?;
    Ok(view.respond(Json(Export {
        user_id: user.id.as_uuid(),
        exported_at: Utc::now(),
        student_id,
        language: language.map(Language::code),
        switched_off: preferences::off(&mut connection, user.id).await?,
        notifications: notifications
            .into_iter()
            .map(|row| view.show(row))
            .collect(),
    })))
}
