//! The table `profiles_establishment`. Every function fails with the database's error.

use super::search::Rows;
use crate::domain::EstablishmentFields;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

/// An establishment, as stored.
#[derive(Debug)]
pub(crate) struct Establishment {
    pub id: Uuid,
    pub code: Option<String>,
    pub name: String,
    pub kind: Option<String>,
    pub wilaya: Option<String>,
    pub city: Option<String>,
    pub address: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub metadata: Json<Map<String, Value>>,
    /// Raised by each change.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Establishment {
    /// The fields that a request may change.
    pub(crate) fn fields(&self) -> EstablishmentFields {
        EstablishmentFields {
            code: self.code.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            wilaya: self.wilaya.clone(),
            city: self.city.clone(),
            address: self.address.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            metadata: self.metadata.0.clone(),
        }
    }
}

/// How many things refer to an establishment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Uses {
    pub services: i64,
    pub encadrants: i64,
}

/// Reads the one establishment that a condition names.
macro_rules! one {
    ($connection:expr, $condition:literal, $value:expr) => {
        sqlx::query_as!(
            Establishment,
            r#"select id, code, name, type as kind, wilaya, city, address, email, phone,
                      metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at
               from profiles_establishment where "# + $condition,
            $value
        )
        .fetch_optional($connection)
        .await
    };
}

/// Returns an establishment.
pub(crate) async fn by_id(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<Establishment>> {
    one!(connection, "id = $1", id)
}

/// Returns an establishment, and locks it until the transaction ends: nothing can refer to it anew meanwhile.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<Establishment>> {
    one!(connection, "id = $1 for update", id)
}

/// Whether there is an establishment; it stays until the transaction ends.
pub(crate) async fn keep(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let kept = sqlx::query_scalar!(
        "select id from profiles_establishment where id = $1 for key share",
        id
    );
    Ok(kept.fetch_optional(connection).await?.is_some())
}

/// Inserts an establishment, and returns it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &EstablishmentFields,
) -> sqlx::Result<Establishment> {
    sqlx::query_as!(
        Establishment,
        r#"insert into profiles_establishment (id, code, name, type, wilaya, city, address, email, phone, metadata)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           returning id, code, name, type as kind, wilaya, city, address, email, phone,
                     metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at"#,
        id,
        fields.code,
        fields.name,
        fields.kind,
        fields.wilaya,
        fields.city,
        fields.address,
        fields.email,
        fields.phone,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await
}

/// Writes the fields of an establishment, and returns it.
pub(crate) async fn set_fields(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &EstablishmentFields,
) -> sqlx::Result<Establishment> {
    sqlx::query_as!(
        Establishment,
        r#"update profiles_establishment
           set code = $2, name = $3, type = $4, wilaya = $5, city = $6, address = $7, email = $8, phone = $9,
               metadata = $10, version = version + 1, updated_at = now()
           where id = $1
           returning id, code, name, type as kind, wilaya, city, address, email, phone,
                     metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at"#,
        id,
        fields.code,
        fields.name,
        fields.kind,
        fields.wilaya,
        fields.city,
        fields.address,
        fields.email,
        fields.phone,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await
}

/// Counts what refers to an establishment; profiles of users who have another role now, too.
pub(crate) async fn uses(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Uses> {
    sqlx::query_as!(
        Uses,
        r#"select (select count(*) from profiles_service where establishment_id = $1) as "services!",
                  (select count(*) from profiles_encadrant where establishment_id = $1) as "encadrants!""#,
        id,
    )
    .fetch_one(connection)
    .await
}

/// Deletes an establishment.
pub(crate) async fn delete(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from profiles_establishment where id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Selects establishments. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct EstablishmentFilter {
    /// A pattern of [`super::search::pattern`], for code, name, type, wilaya and city.
    pub pattern: Option<String>,
    /// In any case.
    pub kind: Option<String>,
    /// In any case.
    pub wilaya: Option<String>,
    /// In any case.
    pub city: Option<String>,
}

/// Returns a page of the establishments, and how many the filter selects. The transaction is one of
/// [`super::search::SNAPSHOT`].
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &EstablishmentFilter,
    rows: Rows,
) -> sqlx::Result<(Vec<Establishment>, i64)> {
    let establishments = sqlx::query_as!(
        Establishment,
        r#"select id, code, name, type as kind, wilaya, city, address, email, phone,
                  metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at
           from profiles_establishment
           where ($1::text is null
                  or ' ' || lower(name || ' ' || coalesce(code, '') || ' ' || coalesce(type, '') || ' '
                                  || coalesce(wilaya, '') || ' ' || coalesce(city, '')) like $1)
             and ($2::text is null or lower(type) = lower($2))
             and ($3::text is null or lower(wilaya) = lower($3))
             and ($4::text is null or lower(city) = lower($4))
           order by
             case when not $6 then case $5 when 'name' then lower(name) when 'code' then lower(code)
                 when 'type' then lower(type) when 'wilaya' then lower(wilaya) when 'city' then lower(city) end
             end nulls first,
             case when $6 then case $5 when 'name' then lower(name) when 'code' then lower(code)
                 when 'type' then lower(type) when 'wilaya' then lower(wilaya) when 'city' then lower(city) end
             end desc nulls last,
             case when not $6 then created_at end, case when $6 then created_at end desc, id
           offset $7 limit $8"#,
        filter.pattern,
        filter.kind,
        filter.wilaya,
        filter.city,
        rows.by,
        rows.descending,
        rows.offset,
        rows.limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from profiles_establishment
           where ($1::text is null
                  or ' ' || lower(name || ' ' || coalesce(code, '') || ' ' || coalesce(type, '') || ' '
                                  || coalesce(wilaya, '') || ' ' || coalesce(city, '')) like $1)
             and ($2::text is null or lower(type) = lower($2))
             and ($3::text is null or lower(wilaya) = lower($3))
             and ($4::text is null or lower(city) = lower($4))"#,
        filter.pattern,
        filter.kind,
        filter.wilaya,
        filter.city,
    )
    .fetch_one(connection)
    .await?;
    Ok((establishments, total))
}
