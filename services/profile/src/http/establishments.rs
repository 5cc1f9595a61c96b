//! Establishments: everybody reads them, administrators write them.

use super::{
    App,
    auth::Caller,
    errors::{Error, no_establishment},
    fields::Metadata,
    lists::{EstablishmentQuery, establishment_order, rows, snapshot},
    rights::Administrator,
};
use crate::{
    actions,
    domain::{EstablishmentChange, EstablishmentFields},
    store::{
        establishments::{self as store, EstablishmentFilter},
        search::pattern,
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
        body::{OptionalText, Patch, RequiredText},
        detached, docs,
        list::{List, ListQuery, PageParameters},
    },
};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;

/// A hospital, a clinic or a university.
#[derive(Serialize, ToSchema)]
pub(super) struct Establishment {
    id: Uuid,
    /// Unique.
    #[schema(examples("CHU-MUSTAPHA"))]
    code: Option<String>,
    #[schema(examples("CHU Mustapha Pacha"))]
    name: String,
    /// What it is.
    #[schema(examples("CHU"))]
    r#type: Option<String>,
    /// The province.
    #[schema(examples("Alger"))]
    wilaya: Option<String>,
    #[schema(examples("Sidi M'Hamed"))]
    city: Option<String>,
    #[schema(examples("Place du 1er Mai"))]
    address: Option<String>,
    #[schema(examples("contact@chu-mustapha.example"))]
    email: Option<String>,
    #[schema(examples("+213 21 23 55 55"))]
    phone: Option<String>,
    /// What clients store.
    #[schema(value_type = Object, example = json!({"beds": 1200}))]
    metadata: Map<String, Value>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

body! {
    /// An establishment to be created. An empty text is none.
    pub(super) struct NewEstablishment {
        /// Unique.
        code: Option<OptionalText<100>> = "CHU-MUSTAPHA",
        name: RequiredText<255> = "CHU Mustapha Pacha",
        /// What it is.
        r#type: Option<OptionalText<100>> = "CHU",
        /// The province.
        wilaya: Option<OptionalText<120>> = "Alger",
        city: Option<OptionalText<120>> = "Sidi M'Hamed",
        address: Option<OptionalText<500>> = "Place du 1er Mai",
        email: Option<OptionalText<254>> = "contact@chu-mustapha.example",
        phone: Option<OptionalText<50>> = "+213 21 23 55 55",
        /// What clients store.
        metadata: Option<Metadata> = {"beds": 1200},
    }
}

body! {
    /// A field that is absent keeps its value; `null` and an empty text clear it.
    pub(super) struct EstablishmentPatch {
        /// Unique.
        code: Patch<OptionalText<100>> = "CHU-MUSTAPHA",
        name: Patch<RequiredText<255>> = "CHU Mustapha Pacha",
        /// What it is.
        r#type: Patch<OptionalText<100>> = "CHU",
        /// The province.
        wilaya: Patch<OptionalText<120>> = "Alger",
        city: Patch<OptionalText<120>> = "Sidi M'Hamed",
        address: Patch<OptionalText<500>> = "Place du 1er Mai",
        email: Patch<OptionalText<254>> = "contact@chu-mustapha.example",
        phone: Patch<OptionalText<50>> = "+213 21 23 55 56",
        /// What clients store.
        metadata: Patch<Metadata> = {"beds": 1200},
    }
}

/// For the OpenAPI document.
type Establishments = List<Establishment>;

/// Lists the establishments.
#[utoipa::path(
    get,
    path = "/profile/api/establishments",
    tag = "establishments",
    security(("access_token" = [])),
    params(EstablishmentQuery, PageParameters),
    responses((status = OK, description = "The establishments.", body = Establishments))
)]
pub(super) async fn list(
    _: CurrentUser,
    query: ListQuery<EstablishmentQuery>,
    State(pool): State<PgPool>,
) -> Result<Response, Problem> {
    let own = query.own;
    let filter = EstablishmentFilter {
        pattern: own.search.and_then(|search| pattern(&search.0)),
        kind: own.r#type.map(|kind| kind.0),
        wilaya: own.wilaya.map(|wilaya| wilaya.0),
        city: own.city.map(|city| city.0),
    };
    let rows = rows(&query.paging, establishment_order(own.sort));
    let mut snapshot = snapshot(&pool).await?;
    let (establishments, total) = store::list(&mut snapshot, &filter, rows).await?;
    let establishments = establishments.into_iter().map(Into::into).collect();
    Ok(query.paging.respond::<Establishment>(establishments, total))
}

/// Creates an establishment, for administrators.
#[utoipa::path(
    post,
    path = "/profile/api/establishments",
    tag = "establishments",
    security(("access_token" = [])),
    request_body = NewEstablishment,
    responses((status = CREATED, description = "The establishment.", body = Establishment)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::Forbidden, &Error::CodeTaken]))))
)]
pub(super) async fn create(
    _: Administrator,
    caller: Caller,
    State(app): State<App>,
    Body(body): Body<NewEstablishment>,
) -> Result<(StatusCode, Json<Establishment>), Problem> {
    let fields = EstablishmentFields {
        code: body.code.and_then(|text| text.0),
        name: body.name.0,
        kind: body.r#type.and_then(|text| text.0),
        wilaya: body.wilaya.and_then(|text| text.0),
        city: body.city.and_then(|text| text.0),
        address: body.address.and_then(|text| text.0),
        email: body.email.and_then(|text| text.0),
        phone: body.phone.and_then(|text| text.0),
        metadata: body.metadata.unwrap_or_default().0,
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let row = actions::create_establishment(&mut tx, &caller.cause(), &fields).await?;
        tx.commit().await?;
        Ok((StatusCode::CREATED, Json(row.into())))
    })
    .await
}

/// Returns an establishment.
#[utoipa::path(
    get,
    path = "/profile/api/establishments/{id}",
    tag = "establishments",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The establishment.")),
    responses((status = OK, description = "The establishment.", body = Establishment)),
    extensions(("x-problems" = json!(docs::problems(&[&Common::NotFound]))))
)]
pub(super) async fn one(
    _: CurrentUser,
    Path(id): Path<String>,
    State(pool): State<PgPool>,
) -> Result<Json<Establishment>, Problem> {
    let row = store::by_id(&mut *pool.acquire().await?, id_of(&id)?).await?;
    Ok(Json(row.ok_or_else(no_establishment)?.into()))
}

/// Changes the fields of an establishment that the body names, for administrators.
#[utoipa::path(
    patch,
    path = "/profile/api/establishments/{id}",
    tag = "establishments",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The establishment.")),
    request_body = EstablishmentPatch,
    responses((status = OK, description = "The establishment after the change.", body = Establishment)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Common::NotFound, &Error::CodeTaken,
    ]))))
)]
pub(super) async fn change(
    _: Administrator,
    caller: Caller,
    Path(id): Path<String>,
    State(app): State<App>,
    Body(body): Body<EstablishmentPatch>,
) -> Result<Json<Establishment>, Problem> {
    let id = id_of(&id)?;
    let change = EstablishmentChange {
        code: body.code.0.map(|text| text.0),
        name: body.name.0.map(|text| text.0),
        kind: body.r#type.0.map(|text| text.0),
        wilaya: body.wilaya.0.map(|text| text.0),
        city: body.city.0.map(|text| text.0),
        address: body.address.0.map(|text| text.0),
        email: body.email.0.map(|text| text.0),
        phone: body.phone.0.map(|text| text.0),
        metadata: body.metadata.0.map(|metadata| metadata.0),
    };
    detached(async move {
        let mut tx = app.outbox.begin().await?;
        let row = actions::change_establishment(&mut tx, &caller.cause(), id, change).await?;
        tx.commit().await?;
        Ok(Json(row.into()))
    })
    .await
}

/// Deletes an establishment that no hospital service and no encadrant refers to, for administrators.
#[utoipa::path(
    delete,
    path = "/profile/api/establishments/{id}",
    tag = "establishments",
    security(("access_token" = [])),
    params(("id" = Uuid, Path, description = "The establishment.")),
    responses((status = NO_CONTENT, description = "The establishment is gone.")),
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
        actions::delete_establishment(&mut tx, &caller.cause(), id).await?;
        tx.commit().await?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// The id in a path: a text that is none names nothing.
fn id_of(text: &str) -> Result<Uuid, Problem> {
    text.parse().map_err(|_| no_establishment())
}

impl From<store::Establishment> for Establishment {
    fn from(row: store::Establishment) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name: row.name,
            r#type: row.kind,
            wilaya: row.wilaya,
            city: row.city,
            address: row.address,
            email: row.email,
            phone: row.phone,
            metadata: row.metadata.0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
