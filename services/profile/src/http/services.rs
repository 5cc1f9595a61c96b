//! Hospital services, the departments of establishments: everybody reads them, administrators write them.

use super::{
    App,
    auth::Caller,
    errors::{Error, no_service, required},
    fields::Metadata,
    lists::{ServiceQuery, rows, service_order, snapshot},
    rights::Administrator,
};
use crate::{
    actions,
    domain::{ServiceChange, ServiceFields},
    store::{
        search::pattern,
        services::{self as store, ServiceFilter},
    },
};
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use service_kit::{
    body,
    http::{
        Body, Common, CurrentUser, Problem,
        body::{OptionalNumber, OptionalText, Patch, RequiredText},
        detached, docs,
        list::{List, ListQuery, PageParameters},
    },
};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// A department of an establishment.
#[derive(Serialize, ToSchema)]
pub(super) struct HospitalService {
    id: Uuid,
    /// The establishment that it belongs to.
    establishment_id: Uuid,
    /// The same as `establishment_id`.
    establishment: Uuid,
    #[schema(examples("CHU Mustapha Pacha"))]
    establishment_name: String,
    /// Unique in the establishment.
    #[schema(examples("Cardiology"))]
    name: String,
    /// What it does.
    #[schema(examples("Adult cardiology, second floor"))]
    description: Option<String>,
    /// How many students it takes at a time.
    #[schema(examples(12))]
    capacity: Option<i32>,
    /// What clients store.
    #[schema(value_type = Object, example = json!({"floor": 2}))]
    metadata: Map<String, Value>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// How many students a service takes at a time.
type Capacity = OptionalNumber<0, 10_000>;

body! {
    /// A hospital service to be created: `establishment_id` or `establishment` is required. An empty text is none.
    pub(super) struct NewService {
        /// The establishment that it belongs to.
        establishment_id: Option<Uuid> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The same as `establishment_id`.
        establishment: Option<Uuid> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// Unique in the establishment, in any case.
        name: RequiredText<255> = "Cardiology",
        /// What it does.
        description: Option<OptionalText<1000>> = "Adult cardiology, second floor",
        /// How many students it takes at a time.
        capacity: Option<Capacity> = 12,
        /// What clients store.
        metadata: Option<Metadata> = {"floor": 2},
    }
}

body! {
    /// A field that is absent keeps its value; `null` and an empty text clear it.
    pub(super) struct ServicePatch {
        /// The establishment that it belongs to.
        establishment_id: Patch<Uuid> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The same as `establishment_id`.
        establishment: Patch<Uuid> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// Unique in the establishment, in any case.
        name: Patch<RequiredText<255>> = "Cardiology",
        /// What it does.
        description: Patch<OptionalText<1000>> = "Adult cardiology, third floor",
        /// How many students it takes at a time.
        capacity: Patch<Capacity> = 16,
        /// What clients store.
        metadata: Patch<Metadata> = {"floor": 3},
    }
}

/// For the OpenAPI document.
type Services = List<HospitalService>;

/// Lists the hospital services.
#[utoipa::path(
    get,
    path = "/profile/api/services",
    tag = "services",
    security(("access_token" = [])),
    params(ServiceQuery, PageParameters),
    responses((status = OK, description = "The services.", body = Services))
)]
pub(super) async fn list(
    _: CurrentUser,
    query: ListQuery<ServiceQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let own = query.own;
    let establishment = own.establishment_id.or(own.establishment);
    let filter = ServiceFilter {
        pattern: own.search.and_then(|search| pattern(&search.0)),
        establishment: establishment.map(|id| id.0),
    };
    let rows = rows(&query.paging, service_order(own.sort));
    let mut snapshot = snapshot(&pool).await?;
    let (services, total) = store::list(&mut snapshot, &filter, rows).await?;
    let services = services.into_iter().map(Into::into).collect();
    Ok(query.paging.respond::<HospitalService>(services, total))
}

/// Creates a hospital service, for administrators.
#[utoipa::path(
    post,
    path = "/profile/api/services",
    tag = "services",
    security(("access_token" = [])),
    request_body = NewService,
    responses((status = CREATED, description = "The service.", body = HospitalService)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden, &Error::NameTaken]))))
)]
pub(super) async fn create(
    _: Administrator,
    caller: Caller,
    State(app): State<App>,
    Body(body): Body<NewService>,
) -> Result<(StatusCode, Json<HospitalService>), Problem> {
    let establishment = one_establishment(body.establishment_id, body.establishment)?;
    let fields = ServiceFields {
        establishment_id: establishment.ok_or_else(|| required("establishment_id"))?,
        name: body.name.0,
        description: body.description.and_then(|text| text.0),
        capacity: body.capacity.and_then(|capacity| capacity.0),
        metadata: body.metadata.unwrap_or_default().0,
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let row = actions::create_service(&mut tx, &caller.cause(), &fields).await?;
        tx.commit().await?;
        Ok((StatusCode::CREATED, Json(row.into())))
    })
    .await
}

/// Returns a hospital service.
#[utoipa::path(
    get,
    path = "/profile/api/services/{id}",
    tag = "services",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The service.")),
    responses((status = OK, description = "The service.", body = HospitalService)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn one(
    _: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<HospitalService>, Problem> {
    let row = store::by_id(&mut *pool.acquire().await?, id_of(&id)?).await?;
    Ok(Json(row.ok_or_else(no_service)?.into()))
}

/// Changes the fields of a hospital service that the body names, for administrators. While encadrants work in it, it stays
/// with its establishment.
#[utoipa::path(
    patch,
    path = "/profile/api/services/{id}",
    tag = "services",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The service.")),
    request_body = ServicePatch,
    responses((status = OK, description = "The service after the change.", body = HospitalService)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::NameTaken, &Error::InUse,
    ]))))
)]
pub(super) async fn change(
    _: Administrator,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
    Body(body): Body<ServicePatch>,
) -> Result<Json<HospitalService>, Problem> {
    let id = id_of(&id)?;
    let change = ServiceChange {
        establishment_id: one_establishment(body.establishment_id.0, body.establishment.0)?,
        name: body.name.0.map(|text| text.0),
        description: body.description.0.map(|text| text.0),
        capacity: body.capacity.0.map(|capacity| capacity.0),
        metadata: body.metadata.0.map(|metadata| metadata.0),
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let row = actions::change_service(&mut tx, &caller.cause(), id, change).await?;
        tx.commit().await?;
        Ok(Json(row.into()))
    })
    .await
}

/// Deletes a hospital service that no encadrant works in, for administrators.
#[utoipa::path(
    delete,
    path = "/profile/api/services/{id}",
    tag = "services",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The service.")),
    responses((status = NO_CONTENT, description = "The service is gone.")),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::InUse,
    ]))))
)]
pub(super) async fn delete(
    _: Administrator,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
) -> Result<StatusCode, Problem> {
    let id = id_of(&id)?;
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        actions::delete_service(&mut tx, &caller.cause(), id).await?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The id in a path: a text that is none names nothing.
fn id_of(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| no_service())
}

/// The establishment under either of its two names.
fn one_establishment(id: Option<Uuid>, same: Option<Uuid>) -> Result<Option<Uuid>, Problem> {
    match (id, same) {
        (Some(one), Some(other)) if one != other => {
            let message = "Must be the same as establishment_id, or absent.".to_owned();
            let errors = [("establishment".to_owned(), vec![message])];
            Err(Problem::validation(errors.into()))
        }
        (one, other) => Ok(one.or(other)),
    }
}

impl From<store::HospitalService> for HospitalService {
    fn from(row: store::HospitalService) -> Self {
        Self {
            id: row.id,
            establishment_id: row.establishment_id,
            establishment: row.establishment_id,
            establishment_name: row.establishment_name,
            name: row.name,
            description: row.description,
            capacity: row.capacity,
            metadata: row.metadata.0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
