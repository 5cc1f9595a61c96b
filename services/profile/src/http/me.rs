//! One's own profile.

use super::{
    App,
    auth::Caller,
    change::{self, Change, EncadrantPatch, StudentPatch},
    errors::Error,
    profiles::{Encadrant, Student},
};
use crate::store::{encadrants, students};
use axum::{Json, extract::State};
use events::Role;
use serde::Serialize;
use service_kit::http::{Body, Common, CurrentUser, Problem, body::Object, docs};
use sqlx::PgPool;
use utoipa::ToSchema;

/// A profile, as its owner sees it: its fields depend on the role.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum Own {
    /// An encadrant's.
    Encadrant(Encadrant),
    /// A student's.
    Student(Student),
}

/// A change of one's own profile: its fields depend on the role.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body")]
enum OwnPatch {
    Encadrant(EncadrantPatch),
    Student(StudentPatch),
}

/// Returns one's own profile.
#[utoipa::path(
    get,
    path = "/profile/api/me",
    tag = "own profile",
    security(("access_token" = [])),
    responses((status = OK, description = "The profile.", body = Own)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn show(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Own>, Problem> {
    let own = match user.role {
        Role::Student => Own::Student(student(&user, &pool).await?.into()),
        Role::Encadrant => Own::Encadrant(encadrant(&user, &pool).await?.into()),
        Role::Admin => return Err(Problem::not_found("An administrator has no profile.")),
    };
    Ok(Json(own))
}

/// Changes the fields of one's own profile that the body names.
///
/// Names and phone are changed at auth-service.
#[utoipa::path(
    patch,
    path = "/profile/api/me",
    tag = "own profile",
    security(("access_token" = [])),
    request_body(content = inline(OwnPatch)),
    responses((status = OK, description = "The profile after the change.", body = Own)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound, &Error::NumberTaken, &Error::AuthUnavailable]))))
)]
pub(super) async fn change(
    user: CurrentUser,
    caller: Caller,
    State(app): State<App>,
    body: Object,
) -> Result<Json<Own>, Problem> {
    let own = match user.role {
        Role::Student => {
            let student = student(&user, &app.api.pool).await?;
            let change = mine(caller, body.into_body()?);
            Own::Student(change::student(app, student, change).await?.into())
        }
        Role::Encadrant => {
            let encadrant = encadrant(&user, &app.api.pool).await?;
            let change = mine(caller, body.into_body()?);
            Own::Encadrant(change::encadrant(app, encadrant, change).await?.into())
        }
        Role::Admin => return Err(Problem::not_found("An administrator has no profile.")),
    };
    Ok(Json(own))
}

fn mine<Body>(caller: Caller, body: Body) -> Change<Body> {
    let who = "me".to_owned();
    Change { caller, who, body }
}

/// Returns one's own profile as a student.
#[utoipa::path(
    get,
    path = "/profile/api/students/me",
    tag = "own profile",
    security(("access_token" = [])),
    responses((status = OK, description = "The profile.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn show_student(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Student>, Problem> {
    Ok(Json(student(&user, &pool).await?.into()))
}

/// Changes the fields of one's own profile as a student that the body names.
///
/// Names and phone are changed at auth-service.
#[utoipa::path(
    patch,
    path = "/profile/api/students/me",
    tag = "own profile",
    security(("access_token" = [])),
    request_body = StudentPatch,
    responses((status = OK, description = "The profile after the change.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound, &Error::NumberTaken, &Error::AuthUnavailable]))))
)]
pub(super) async fn change_student(
    user: CurrentUser,
    caller: Caller,
    State(app): State<App>,
    Body(body): Body<StudentPatch>,
) -> Result<Json<Student>, Problem> {
    let student = student(&user, &app.api.pool).await?;
    let student = change::student(app, student, mine(caller, body)).await?;
    Ok(Json(student.into()))
}

/// Returns one's own profile as an encadrant.
#[utoipa::path(
    get,
    path = "/profile/api/encadrants/me",
    tag = "own profile",
    security(("access_token" = [])),
    responses((status = OK, description = "The profile.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn show_encadrant(
    user: CurrentUser,
    State(pool): State<PgPool>,
) -> Result<Json<Encadrant>, Problem> {
    Ok(Json(encadrant(&user, &pool).await?.into()))
}

/// Changes the fields of one's own profile as an encadrant that the body names.
///
/// Names and phone are changed at auth-service.
#[utoipa::path(
    patch,
    path = "/profile/api/encadrants/me",
    tag = "own profile",
    security(("access_token" = [])),
    request_body = EncadrantPatch,
    responses((status = OK, description = "The profile after the change.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound, &Error::NumberTaken, &Error::AuthUnavailable]))))
)]
pub(super) async fn change_encadrant(
    user: CurrentUser,
    caller: Caller,
    State(app): State<App>,
    Body(body): Body<EncadrantPatch>,
) -> Result<Json<Encadrant>, Problem> {
    let encadrant = encadrant(&user, &app.api.pool).await?;
    let encadrant = change::encadrant(app, encadrant, mine(caller, body)).await?;
    Ok(Json(encadrant.into()))
}

async fn student(user: &CurrentUser, pool: &PgPool) -> Result<students::Student, Problem> {
    if user.role != Role::Student {
        return Err(Problem::not_found("You have no profile of a student."));
    }
    let mut connection = pool.acquire().await?;
    let profile = students::by_user(&mut connection, user.id).await?;
    profile.ok_or_else(not_yet)
}

async fn encadrant(user: &CurrentUser, pool: &PgPool) -> Result<encadrants::Encadrant, Problem> {
    if user.role != Role::Encadrant {
        return Err(Problem::not_found("You have no profile of an encadrant."));
    }
    let mut connection = pool.acquire().await?;
    let profile = encadrants::by_user(&mut connection, user.id).await?;
    profile.ok_or_else(not_yet)
}

fn not_yet() -> Problem {
    Problem::not_found("This user has no profile yet.")
        .hint("A profile is made within a moment of registration; try again.")
}
