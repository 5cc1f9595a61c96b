//! Students: lists, and one by one.

use super::{
    App,
    auth::Caller,
    change::{self, Change, StudentPatch},
    errors::{Error, gone},
    lists::{StudentQuery, id, rows, snapshot, student_order},
    profiles::Student,
    rights::{Access, Staff, may_delete, may_write, read_one},
};
use crate::store::{
    search::pattern,
    student_list::{self, StudentFilter},
    students,
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use service_kit::http::{
    Body, Common, CurrentUser, Problem, docs,
    list::{List, ListQuery, PageParameters},
};
use sqlx::PgPool;

/// For the OpenAPI document.
type Students = List<Student>;

/// Lists the students, for encadrants and administrators.
///
/// Phone, identity card and date of birth are shown to administrators only.
#[utoipa::path(
    get,
    path = "/profile/api/students",
    tag = "students",
    security(("access_token" = [])),
    params(StudentQuery, PageParameters),
    responses((status = OK, description = "The students.", body = Students)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden]))))
)]
pub(super) async fn list(
    staff: Staff,
    query: ListQuery<StudentQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let own = query.own;
    let filter = StudentFilter {
        pattern: own.search.and_then(|search| pattern(&search.0)),
        university: own.university.map(|university| university.0),
        program: own.program.map(|program| program.0),
        year_level: own.year_level.map(|year| year.0),
    };
    let rows = rows(&query.paging, student_order(own.sort));
    let mut snapshot = snapshot(&pool).await?;
    let (students, total) = student_list::page(&mut snapshot, &filter, rows).await?;
    let students = students
        .into_iter()
        .map(|row| shown(row, staff.access))
        .collect();
    Ok(query.paging.respond::<Student>(students, total))
}

/// Returns a student: for the student, for encadrants and for administrators.
#[utoipa::path(
    get,
    path = "/profile/api/students/{id}",
    tag = "students",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    responses((status = OK, description = "The student.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Student>, Problem> {
    let (student, access) = visible(&user, &pool, &id).await?;
    Ok(Json(shown(student, access)))
}

/// Returns the student who is a user: for the student, for encadrants and for administrators.
#[utoipa::path(
    get,
    path = "/profile/api/students/by_user/{user_id}",
    tag = "students",
    security(("access_token" = [])),
    params(("user_id" = Uuid, Path, description = "The user.")),
    responses((status = OK, description = "The student.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn of_user(
    user: CurrentUser,
    Path(user_id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Student>, Problem> {
    let user_id = id(&user_id)?.into();
    let access = read_one(&user, user_id)?;
    let student = students::by_user(&mut *pool.acquire().await?, user_id).await?;
    Ok(Json(shown(student.ok_or_else(gone)?, access)))
}

/// Changes the fields of a student that the body names: for the student and for administrators.
///
/// Names and phone are changed at auth-service.
#[utoipa::path(
    patch,
    path = "/profile/api/students/{id}",
    tag = "students",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    request_body = StudentPatch,
    responses((status = OK, description = "The student after the change.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::NumberTaken, &Error::AuthUnavailable,
    ]))))
)]
pub(super) async fn change(
    user: CurrentUser,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
    Body(body): Body<StudentPatch>,
) -> Result<Json<Student>, Problem> {
    let (student, access) = visible(&user, &app.api.pool, &id).await?;
    let who = may_write(access, student.user_id)?;
    let change = Change { caller, who, body };
    Ok(Json(change::student(app, student, change).await?.into()))
}

/// Deletes a student with the user at auth-service: for administrators.
#[utoipa::path(
    delete,
    path = "/profile/api/students/{id}",
    tag = "students",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    responses((status = NO_CONTENT, description = "The student is gone.")),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::AuthUnavailable,
    ]))))
)]
pub(super) async fn delete(
    user: CurrentUser,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
) -> Result<StatusCode, Problem> {
    let (student, access) = visible(&user, &app.api.pool, &id).await?;
    may_delete(access)?;
    change::delete(app, caller, student.user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn visible(
    user: &CurrentUser,
    pool: &PgPool,
    text: &str,
) -> Result<(students::Student, Access), Problem> {
    let id = id(text)?;
    let student = students::by_id(&mut *pool.acquire().await?, id).await?;
    let student = student.ok_or_else(gone)?;
    let access = read_one(user, student.user_id.into())?;
    Ok((student, access))
}

/// A student, as a user may see one.
pub(super) fn shown(mut student: students::Student, access: Access) -> Student {
    if access == Access::Reading {
        student.phone = None;
        student.cin = None;
        student.date_of_birth = None;
    }
    student.into()
}
