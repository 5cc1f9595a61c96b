//! Encadrants: lists, and one by one.

use super::{
    App,
    auth::Caller,
    change::{self, Change, EncadrantPatch},
    errors::{Error, gone},
    lists::{EncadrantQuery, Id, encadrant_order, id, rows, snapshot},
    profiles::Encadrant,
    rights::{Access, Staff, may_delete, may_write, read_one},
};
use crate::store::{
    encadrants::{self, EncadrantFilter},
    search::pattern,
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
type Encadrants = List<Encadrant>;

/// Lists the encadrants, for encadrants and administrators.
///
/// Phone and identity card are shown to administrators only.
#[utoipa::path(
    get,
    path = "/profile/api/encadrants",
    tag = "encadrants",
    security(("access_token" = [])),
    params(EncadrantQuery, PageParameters),
    responses((status = OK, description = "The encadrants.", body = Encadrants)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden]))))
)]
pub(super) async fn list(
    staff: Staff,
    query: ListQuery<EncadrantQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    page(staff.access, query, &pool).await
}

/// Lists the encadrants of an establishment, for encadrants and administrators.
#[utoipa::path(
    get,
    path = "/profile/api/encadrants/by_establishment/{id}",
    tag = "encadrants",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The establishment."), EncadrantQuery, PageParameters),
    responses((status = OK, description = "The encadrants.", body = Encadrants)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden, &Common::NotFound]))))
)]
pub(super) async fn of_establishment(
    staff: Staff,
    Path(establishment): Path<String>,
    mut query: ListQuery<EncadrantQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    query.own.establishment = Some(Id(id(&establishment)?));
    page(staff.access, query, &pool).await
}

async fn page(
    access: Access,
    query: ListQuery<EncadrantQuery>,
    pool: &PgPool,
) -> Result<Response, Problem> {
    let own = query.own;
    let filter = EncadrantFilter {
        pattern: own.search.and_then(|search| pattern(&search.0)),
        establishment: own.establishment.map(|id| id.0),
        service: own.service.map(|id| id.0),
        speciality: own.speciality.map(|speciality| speciality.0),
    };
    let rows = rows(&query.paging, encadrant_order(own.sort));
    let mut snapshot = snapshot(pool).await?;
    let (encadrants, total) = encadrants::list(&mut snapshot, &filter, rows).await?;
    let encadrants = encadrants
        .into_iter()
        .map(|row| shown(row, access))
        .collect();
    Ok(query.paging.respond::<Encadrant>(encadrants, total))
}

/// Returns an encadrant: for encadrants and administrators.
#[utoipa::path(
    get,
    path = "/profile/api/encadrants/{id}",
    tag = "encadrants",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    responses((status = OK, description = "The encadrant.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn one(
    user: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Encadrant>, Problem> {
    let (encadrant, access) = visible(&user, &pool, &id).await?;
    Ok(Json(shown(encadrant, access)))
}

/// Returns the encadrant who is a user: for encadrants and administrators.
#[utoipa::path(
    get,
    path = "/profile/api/encadrants/by_user/{user_id}",
    tag = "encadrants",
    security(("access_token" = [])),
    params(("user_id" = Uuid, Path, description = "The user.")),
    responses((status = OK, description = "The encadrant.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn of_user(
    user: CurrentUser,
    Path(user_id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Encadrant>, Problem> {
    let user_id = id(&user_id)?.into();
    let access = read_one(&user, user_id)?;
    let encadrant = encadrants::by_user(&mut *pool.acquire().await?, user_id).await?;
    Ok(Json(shown(encadrant.ok_or_else(gone)?, access)))
}

/// Changes the fields of an encadrant that the body names: for the encadrant and for administrators.
///
/// Names and phone are changed at auth-service.
#[utoipa::path(
    patch,
    path = "/profile/api/encadrants/{id}",
    tag = "encadrants",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    request_body = EncadrantPatch,
    responses((status = OK, description = "The encadrant after the change.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::NumberTaken, &Error::AuthUnavailable,
    ]))))
)]
pub(super) async fn change(
    user: CurrentUser,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
    Body(body): Body<EncadrantPatch>,
) -> Result<Json<Encadrant>, Problem> {
    let (encadrant, access) = visible(&user, &app.api.pool, &id).await?;
    let who = may_write(access, encadrant.user_id)?;
    let change = Change { caller, who, body };
    Ok(Json(
        change::encadrant(app, encadrant, change).await?.into(),
    ))
}

/// Deletes an encadrant with the user at auth-service: for administrators.
#[utoipa::path(
    delete,
    path = "/profile/api/encadrants/{id}",
    tag = "encadrants",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The profile.")),
    responses((status = NO_CONTENT, description = "The encadrant is gone.")),
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
    let (encadrant, access) = visible(&user, &app.api.pool, &id).await?;
    may_delete(access)?;
    change::delete(app, caller, encadrant.user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn visible(
    user: &CurrentUser,
    pool: &PgPool,
    text: &str,
) -> Result<(encadrants::Encadrant, Access), Problem> {
    let id = id(text)?;
    let encadrant = encadrants::by_id(&mut *pool.acquire().await?, id).await?;
    let encadrant = encadrant.ok_or_else(gone)?;
    let access = read_one(user, encadrant.user_id.into())?;
    Ok((encadrant, access))
}

/// A encadrant, as a user may see one.
fn shown(mut encadrant: encadrants::Encadrant, access: Access) -> Encadrant {
    if access == Access::Reading {
        encadrant.phone = None;
        encadrant.cin = None;
    }
    encadrant.into()
}
