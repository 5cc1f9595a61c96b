//! The HTTP API.

use crate::store::{encadrants, students};
use axum::{Json, Router, extract::State};
use chrono::{DateTime, Utc};
use events::Role;
use serde::Serialize;
use serde_json::Value;
use service_kit::http::{Api, Common, CurrentUser, Problem, body::one_of, docs};
use service_kit::{Start, config::VerifierConfig};
use sqlx::PgPool;
use utoipa::{ToSchema, openapi::Object as Schema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Makes the router.
///
/// # Errors
/// Fails when no HTTP client can be made.
pub(crate) async fn start(start: Start<VerifierConfig>) -> anyhow::Result<Router> {
    let process = start.process.clone();
    let api = Api::start(start)?;
    messaging::follow_revocations(&process, api.pool.clone(), api.verifier.revocations()).await;
    let (router, document) = documented();
    Ok(router
        .with_state(api)
        .merge(docs::page("/profile/api/docs", document)))
}

/// Describes the routes as an OpenAPI document.
pub fn openapi() -> Value {
    documented().1
}

fn documented() -> (Router<Api>, Value) {
    let routes = OpenApiRouter::default().routes(routes!(me));
    docs::documented("profile-service", "Student and encadrant profiles.", routes)
}

/// A profile, as its owner sees it.
#[derive(Serialize, ToSchema)]
struct Profile {
    id: Uuid,
    user_id: Uuid,
    /// What the user is.
    #[schema(schema_with = role_schema)]
    role: Role,
    #[schema(examples("john.doe@example.com"))]
    email: String,
    #[schema(examples("John"))]
    first_name: String,
    #[schema(examples("Doe"))]
    last_name: String,
    #[schema(examples("+33123456789"))]
    phone: Option<String>,
    /// Of encadrants only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, examples("Cardiology"))]
    speciality: Option<Option<String>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn role_schema() -> Schema {
    let schema = one_of([Role::Encadrant, Role::Student].map(Role::as_str));
    schema.description(Some("What the user is.")).build()
}

/// One's own profile.
#[utoipa::path(
    get,
    path = "/profile/api/me",
    tag = "profiles",
    security(("access_token" = [])),
    responses((status = OK, description = "The profile.", body = Profile)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
async fn me(user: CurrentUser, State(pool): State<PgPool>) -> Result<Json<Profile>, Problem> {
    let mut connection = pool.acquire().await?;
    let profile = match user.role {
        Role::Student => students::by_user(&mut connection, user.id)
            .await?
            .map(Profile::from),
        Role::Encadrant => encadrants::by_user(&mut connection, user.id)
            .await?
            .map(Profile::from),
        Role::Admin => return Err(Problem::not_found("An administrator has no profile.")),
    };
    profile.map(Json).ok_or_else(|| {
        Problem::not_found("This user has no profile yet.")
            .hint("A profile is made within a moment of registration; try again.")
    })
}

impl From<students::Student> for Profile {
    fn from(student: students::Student) -> Self {
        Self {
            id: student.id,
            user_id: student.user_id,
            role: Role::Student,
            email: student.email,
            first_name: student.first_name,
            last_name: student.last_name,
            phone: student.phone,
            speciality: None,
            created_at: student.created_at,
            updated_at: student.updated_at,
        }
    }
}

impl From<encadrants::Encadrant> for Profile {
    fn from(encadrant: encadrants::Encadrant) -> Self {
        Self {
            id: encadrant.id,
            user_id: encadrant.user_id,
            role: Role::Encadrant,
            email: encadrant.email,
            first_name: encadrant.first_name,
            last_name: encadrant.last_name,
            phone: encadrant.phone,
            speciality: Some(encadrant.speciality),
            created_at: encadrant.created_at,
            updated_at: encadrant.updated_at,
        }
    }
}
