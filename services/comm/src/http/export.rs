//! What this service holds of the user who asks.

use super::notifications::Notification;
use crate::store::{notifications, preferences, recipients};
use axum::{Json, extract::State};
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
    /// All of them, the newest first.
    notifications: Vec<Notification>,
}

/// Returns what this service holds of the user, as one document.
#[utoipa::path(
    get,
    path = "/comm/api/export",
    tag = "own data",
    security(("access_token" = [])),
    responses((status = OK, description = "All of it.", body = Export)),
)]
pub(super) async fn export(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Export>, Problem> {
    let mut connection = pool.acquire().await?;
    let student_id = recipients::student_of(&mut connection, user.id).await?;
    let notifications = notifications::all(&mut connection, user.id).await?;
    Ok(Json(Export {
        user_id: user.id.as_uuid(),
        exported_at: Utc::now(),
        student_id,
        switched_off: preferences::off(&mut connection, user.id).await?,
        notifications: notifications.into_iter().map(Notification::from).collect(),
    }))
}
