//! The table `profiles_service`: hospital services. Every function fails with the database's error.

use super::search::Rows;
use crate::domain::ServiceFields;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

/// A hospital service, as stored, with the name of its establishment.
#[derive(Debug)]
pub(crate) struct HospitalService {
    pub id: Uuid,
    pub establishment_id: Uuid,
    pub establishment_name: String,
    pub name: String,
    pub description: Option<String>,
    pub capacity: Option<i32>,
    pub metadata: Json<Map<String, Value>>,
    /// Raised by each change.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl HospitalService {
    /// The fields that a request may change.
    pub(crate) fn fields(&self) -> ServiceFields {
        ServiceFields {
            establishment_id: self.establishment_id,
            name: self.name.clone(),
            description: self.description.clone(),
            capacity: self.capacity,
            metadata: self.metadata.0.clone(),
        }
    }
}

/// The query of the one service that a condition names.
macro_rules! one {
    ($condition:literal, $value:expr) => {
        sqlx::query_as!(
            HospitalService,
            r#"select s.id, establishment_id, e.name as establishment_name, s.name, description, capacity,
                      s.metadata as "metadata: Json<Map<String, Value>>", s.version, s.created_at, s.updated_at
               from profiles_service s join profiles_establishment e on e.id = establishment_id
               where "# + $condition,
            $value
        )
    };
}

/// Returns a service.
pub(crate) async fn by_id(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<HospitalService>> {
    let service = one!("s.id = $1", id);
    service.fetch_optional(connection).await
}

/// Returns a service, and locks it until the transaction ends: nothing can refer to it anew meanwhile.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<HospitalService>> {
    let service = one!("s.id = $1 for update of s", id);
    service.fetch_optional(connection).await
}

/// Returns the establishment of a service, which stays as it is until the transaction ends; `None` when there is no such
/// service.
pub(crate) async fn keep(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select establishment_id from profiles_service where id = $1 for key share",
        id
    )
    .fetch_optional(connection)
    .await
}

/// Inserts a service, and returns it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &ServiceFields,
) -> sqlx::Result<HospitalService> {
    sqlx::query!(
        "insert into profiles_service (id, establishment_id, name, description, capacity, metadata)
         values ($1, $2, $3, $4, $5, $6)",
        id,
        fields.establishment_id,
        fields.name,
        fields.description,
        fields.capacity,
        Json(&fields.metadata) as _,
    )
    .execute(&mut *connection)
    .await?;
    let service = one!("s.id = $1", id);
    service.fetch_one(connection).await
}

/// Writes the fields of a service, and returns it.
pub(crate) async fn set_fields(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &ServiceFields,
) -> sqlx::Result<HospitalService> {
    sqlx::query!(
        "update profiles_service
         set establishment_id = $2, name = $3, description = $4, capacity = $5, metadata = $6,
             version = version + 1, updated_at = now()
         where id = $1",
        id,
        fields.establishment_id,
        fields.name,
        fields.description,
        fields.capacity,
        Json(&fields.metadata) as _,
    )
    .execute(&mut *connection)
    .await?;
    let service = one!("s.id = $1", id);
    service.fetch_one(connection).await
}

/// Counts the encadrants of a service; those whose users have another role now, too.
pub(crate) async fn encadrants(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from profiles_encadrant where service_id = $1"#,
        id
    )
    .fetch_one(connection)
    .await
}

/// Deletes a service.
pub(crate) async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from profiles_service where id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Selects services. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceFilter {
    /// A pattern of [`super::search::pattern`], for the names of the service and of its establishment.
    pub pattern: Option<String>,
    pub establishment: Option<Uuid>,
}

/// Returns a page of the services, and how many the filter selects. The transaction is one of
/// [`super::search::SNAPSHOT`].
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &ServiceFilter,
    rows: Rows,
) -> sqlx::Result<(Vec<HospitalService>, i64)> {
    let services = sqlx::query_as!(
        HospitalService,
        r#"select s.id, establishment_id, e.name as establishment_name, s.name, description, capacity,
                  s.metadata as "metadata: Json<Map<String, Value>>", s.version, s.created_at, s.updated_at
           from profiles_service s join profiles_establishment e on e.id = establishment_id
           where ($1::text is null or ' ' || lower(s.name || ' ' || e.name) like $1)
             and ($2::uuid is null or establishment_id = $2)
           order by
             case when not $4 and $3 = 'capacity' then capacity end nulls first,
             case when $4 and $3 = 'capacity' then capacity end desc nulls last,
             case when not $4 then case $3 when 'name' then lower(s.name) when 'establishment' then lower(e.name) end end,
             case when $4 then case $3 when 'name' then lower(s.name) when 'establishment' then lower(e.name) end end desc,
             case when not $4 then s.created_at end, case when $4 then s.created_at end desc, s.id
           offset $5 limit $6"#,
        filter.pattern,
        filter.establishment,
        rows.by,
        rows.descending,
        rows.offset,
        rows.limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!"
           from profiles_service s join profiles_establishment e on e.id = establishment_id
           where ($1::text is null or ' ' || lower(s.name || ' ' || e.name) like $1)
             and ($2::uuid is null or establishment_id = $2)"#,
        filter.pattern,
        filter.establishment,
    )
    .fetch_one(connection)
    .await?;
    Ok((services, total))
}
