//! Counts, for the first page of encadrants and administrators.

use super::rights::Staff;
use crate::store::dashboard;
use axum::{Json, extract::State};
use serde::Serialize;
use service_kit::http::{Common, Problem, docs};
use sqlx::PgPool;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How many there are of what.
#[derive(Serialize, ToSchema)]
pub(super) struct DashboardStats {
    /// Users whose role is student.
    #[schema(examples(1200))]
    total_students: i64,
    /// Users whose role is encadrant.
    #[schema(examples(85))]
    total_encadrants: i64,
    #[schema(examples(14))]
    total_establishments: i64,
    /// Hospital services.
    #[schema(examples(96))]
    total_services: i64,
    /// How many establishments there are of each type. Those without a type are not in it.
    #[schema(example = json!({"CHU": 9, "Clinique": 4}))]
    establishment_types: BTreeMap<String, i64>,
}

/// Counts students, encadrants, establishments and hospital services, for encadrants and administrators.
#[utoipa::path(
    get,
    path = "/profile/api/dashboard-stats",
    tag = "dashboard",
    security(("access_token" = [])),
    responses((status = OK, description = "The counts.", body = DashboardStats)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden]))))
)]
pub(super) async fn stats(
    _: Staff,
    State(pool): State<PgPool>,
) -> Result<Json<DashboardStats>, Problem> {
    counts(&pool).await
}

/// The same as `/profile/api/dashboard-stats`, at the address of the replaced service.
#[utoipa::path(
    get,
    path = "/profile/dashboard-stats",
    tag = "dashboard",
    security(("access_token" = [])),
    responses((status = OK, description = "The counts.", body = DashboardStats)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden]))))
)]
pub(super) async fn old_stats(
    _: Staff,
    State(pool): State<PgPool>,
) -> Result<Json<DashboardStats>, Problem> {
    counts(&pool).await
}

async fn counts(pool: &PgPool) -> Result<Json<DashboardStats>, Problem> {
    let counts = dashboard::counts(&mut *pool.acquire().await?).await?;
    Ok(Json(DashboardStats {
        total_students: counts.students,
        total_encadrants: counts.encadrants,
        total_establishments: counts.establishments,
        total_services: counts.services,
        establishment_types: counts.types.0,
    }))
}
