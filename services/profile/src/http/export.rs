//! What this service holds of the user who asks.

use super::{
    lists::snapshot,
    profiles::{Encadrant, Student},
};
use crate::store::{encadrants, expected, students, users};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use service_kit::http::{CurrentUser, Problem, detached};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// What profile-service holds of a user.
#[derive(Serialize, ToSchema)]
pub(super) struct Export {
    /// The user.
    user_id: Uuid,
    exported_at: DateTime<Utc>,
    /// The profile of this role counts; the other one is kept for the case that the role returns.
    #[schema(examples("student"))]
    role: Option<String>,
    /// The newest version of the user that this service has.
    #[schema(examples(1))]
    version: Option<i64>,
    /// The time of that version.
    changed_at: Option<DateTime<Utc>>,
    /// The language of texts for the user.
    #[schema(examples("fr"))]
    locale: Option<String>,
    student: Option<Student>,
    encadrant: Option<Encadrant>,
    /// The own fields of a profile that will be made within a moment.
    #[schema(value_type = Option<Object>, example = json!({"university": "University of Algiers"}))]
    expected: Option<Value>,
}

/// Returns what this service holds of the user, as one document.
///
/// Copies of the same fields stand in the events that told other services of them: for three days, or until a person has
/// looked after those that could not be handled.
#[utoipa::path(
    get,
    path = "/profile/api/me/export",
    tag = "own profile",
    security(("access_token" = [])),
    responses((status = OK, description = "All of it.", body = Export)),
)]
pub(super) async fn export(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Export>, Problem> {
    detached(async move {
        let mut tx = snapshot(&pool).await?;
        let record = users::record(&mut tx, user.id).await?;
        let student = students::of_owner(&mut tx, user.id).await?;
        let encadrant = encadrants::of_owner(&mut tx, user.id).await?;
        let expected = expected::of_user(&mut tx, user.id).await?;
        tx.commit().await?;
        let locales = [
            student.as_ref().and_then(|own| own.locale.clone()),
            encadrant.as_ref().and_then(|own| own.locale.clone()),
        ];
        Ok(Json(Export {
            user_id: user.id.as_uuid(),
            exported_at: Utc::now(),
            role: record.as_ref().and_then(|record| record.role.clone()),
            version: record.as_ref().map(|record| record.version),
            changed_at: record.map(|record| record.changed_at),
            locale: locales.into_iter().flatten().next(),
            student: student.map(Student::from),
            encadrant: encadrant.map(Encadrant::from),
            expected,
        }))
    })
    .await
}
