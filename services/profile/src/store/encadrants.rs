//! The table `profiles_encadrant`. Every function fails with the database's error.

use super::search::Rows;
use crate::domain::{EncadrantFields, Person, profile_id};
use chrono::{DateTime, Utc};
use events::{Role, UserId};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

super::people::statements!("profiles_encadrant");

/// An encadrant's profile, as stored.
#[derive(Debug)]
pub(crate) struct Encadrant {
    /// The profile.
    pub id: Uuid,
    /// The user.
    pub user_id: Uuid,
    /// In lower case.
    pub email: String,
    /// Empty when unknown.
    pub first_name: String,
    /// Empty when unknown.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
    /// The language of texts for the user, when it is known.
    pub locale: Option<String>,
    pub cin: Option<String>,
    pub establishment_id: Option<Uuid>,
    pub service_id: Option<Uuid>,
    pub position: Option<String>,
    /// Medical specialty, when it is known.
    pub speciality: Option<String>,
    pub metadata: Json<Map<String, Value>>,
    /// Raised by each change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Encadrant {
    /// The profile that the event of a new user will make.
    pub(crate) fn expected(person: Person, fields: EncadrantFields) -> Self {
        let now = Utc::now();
        Self {
            id: profile_id(person.user_id, Role::Encadrant),
            user_id: person.user_id.as_uuid(),
            email: person.email,
            first_name: person.first_name,
            last_name: person.last_name,
            phone: person.phone,
            locale: person.locale,
            cin: fields.cin,
            establishment_id: fields.establishment_id,
            service_id: fields.service_id,
            position: fields.position,
            speciality: fields.speciality,
            metadata: Json(fields.metadata),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// The person.
    pub(crate) fn person(&self) -> Person {
        Person {
            user_id: self.user_id.into(),
            email: self.email.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
            phone: self.phone.clone(),
            locale: self.locale.clone(),
        }
    }

    /// The own fields.
    pub(crate) fn fields(&self) -> EncadrantFields {
        EncadrantFields {
            cin: self.cin.clone(),
            establishment_id: self.establishment_id,
            service_id: self.service_id,
            position: self.position.clone(),
            speciality: self.speciality.clone(),
            metadata: self.metadata.0.clone(),
        }
    }
}

/// Reads the one encadrant whom a condition names.
macro_rules! one {
    ($connection:expr, $condition:literal, $value:expr) => {
        sqlx::query_as!(
            Encadrant,
            r#"select id, user_id, email, first_name, last_name, phone, locale, cin, establishment_id, service_id, position,
                      speciality, metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at
               from profiles_encadrant where "# + $condition,
            $value
        )
        .fetch_optional($connection)
        .await
    };
}

/// Returns the profile of a user.
pub(crate) async fn by_user(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Encadrant>> {
    one!(connection, "is_active and user_id = $1", user_id.as_uuid())
}

/// Returns the profile of a user, whether it counts or not.
pub(crate) async fn of_owner(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Encadrant>> {
    one!(connection, "user_id = $1", user_id.as_uuid())
}

/// Returns a profile.
pub(crate) async fn by_id(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<Encadrant>> {
    one!(connection, "is_active and id = $1", id)
}

/// Returns a profile, and locks it until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<Encadrant>> {
    one!(connection, "is_active and id = $1 for update", id)
}

/// Writes the own fields of a profile, and returns it.
pub(crate) async fn set_fields(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &EncadrantFields,
) -> sqlx::Result<Encadrant> {
    sqlx::query_as!(
        Encadrant,
        r#"update profiles_encadrant
           set cin = $2, establishment_id = $3, service_id = $4, position = $5, speciality = $6, metadata = $7,
               version = version + 1, updated_at = now()
           where id = $1
           returning id, user_id, email, first_name, last_name, phone, locale, cin, establishment_id, service_id, position,
                     speciality, metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at"#,
        id,
        fields.cin,
        fields.establishment_id,
        fields.service_id,
        fields.position,
        fields.speciality,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await
}

/// Writes the own fields of a profile that was just made. Left out, and named in the result, is a number that another
/// encadrant has, and the id of an establishment or of a service that was deleted or moved meanwhile.
pub(crate) async fn fill(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &EncadrantFields,
) -> sqlx::Result<Vec<String>> {
    let row = sqlx::query!(
        r#"update profiles_encadrant
           set cin = (select $2 where not exists (select from profiles_encadrant where cin = $2)),
               establishment_id = (select id from profiles_establishment where id = $3 for key share),
               service_id = (select id from profiles_service
                             where id = $4 and establishment_id = coalesce($3, establishment_id) for key share),
               position = $5, speciality = $6, metadata = $7
           where id = $1
           returning cin is distinct from $2 as "cin!", establishment_id is distinct from $3 as "establishment!",
                     service_id is distinct from $4 as "service!""#,
        id,
        fields.cin,
        fields.establishment_id,
        fields.service_id,
        fields.position,
        fields.speciality,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await?;
    Ok(super::people::named(&[
        ("cin", row.cin),
        ("establishment_id", row.establishment),
        ("service_id", row.service),
    ]))
}

/// Which of these fields would newly refer to nothing, or to a service of another establishment. What the others refer to
/// stays as it is until the transaction ends.
pub(crate) async fn unknown(
    connection: &mut PgConnection,
    before: &EncadrantFields,
    fields: &EncadrantFields,
) -> sqlx::Result<Vec<&'static str>> {
    let mut unknown = Vec::new();
    if let Some(id) = fields.establishment_id
        && fields.establishment_id != before.establishment_id
        && !super::establishments::keep(connection, id).await?
    {
        unknown.push("establishment_id");
    }
    let place = |fields: &EncadrantFields| (fields.establishment_id, fields.service_id);
    if let Some(id) = fields.service_id
        && place(fields) != place(before)
    {
        let belongs_to = super::services::keep(connection, id).await?;
        if belongs_to.is_none()
            || fields
                .establishment_id
                .is_some_and(|id| belongs_to != Some(id))
        {
            unknown.push("service_id");
        }
    }
    Ok(unknown)
}

/// Returns the medical specialties of the profiles that have one.
pub(crate) async fn specialities(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, String>> {
    let rows = sqlx::query!(
        r#"select id, speciality as "speciality!" from profiles_encadrant
           where id = any($1) and speciality is not null"#,
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.speciality))
        .collect())
}

/// Selects encadrants. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub(crate) struct EncadrantFilter {
    /// A pattern of [`super::search::pattern`], for names, e-mail, position and speciality.
    pub pattern: Option<String>,
    pub establishment: Option<Uuid>,
    pub service: Option<Uuid>,
    /// In any case.
    pub speciality: Option<String>,
}

/// Returns a page of the encadrants, and how many the filter selects. The transaction is one of
/// [`super::search::SNAPSHOT`].
pub(crate) async fn list(
    connection: &mut PgConnection,
    filter: &EncadrantFilter,
    rows: Rows,
) -> sqlx::Result<(Vec<Encadrant>, i64)> {
    let encadrants = sqlx::query_as!(
        Encadrant,
        r#"select id, user_id, email, first_name, last_name, phone, locale, cin, establishment_id, service_id, position,
                  speciality, metadata as "metadata: Json<Map<String, Value>>", version, created_at, updated_at
           from profiles_encadrant
           where is_active
             and ($1::text is null
                  or ' ' || lower(email || ' ' || first_name || ' ' || last_name || ' ' || coalesce(position, '') || ' '
                                  || coalesce(speciality, '')) like $1)
             and ($2::uuid is null or establishment_id = $2)
             and ($3::uuid is null or service_id = $3)
             and ($4::text is null or lower(speciality) = lower($4))
           order by
             case when not $6 then case $5 when 'last_name' then lower(last_name) when 'first_name' then lower(first_name)
                 when 'email' then email when 'speciality' then lower(speciality) when 'position' then lower(position) end end,
             case when $6 then case $5 when 'last_name' then lower(last_name) when 'first_name' then lower(first_name)
                 when 'email' then email when 'speciality' then lower(speciality) when 'position' then lower(position)
                 end end desc nulls last,
             case when not $6 then created_at end, case when $6 then created_at end desc, id
           offset $7 limit $8"#,
        filter.pattern,
        filter.establishment,
        filter.service,
        filter.speciality,
        rows.by,
        rows.descending,
        rows.offset,
        rows.limit,
    )
    .fetch_all(&mut *connection)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "total!" from profiles_encadrant
           where is_active
             and ($1::text is null
                  or ' ' || lower(email || ' ' || first_name || ' ' || last_name || ' ' || coalesce(position, '') || ' '
                                  || coalesce(speciality, '')) like $1)
             and ($2::uuid is null or establishment_id = $2)
             and ($3::uuid is null or service_id = $3)
             and ($4::text is null or lower(speciality) = lower($4))"#,
        filter.pattern,
        filter.establishment,
        filter.service,
        filter.speciality,
    )
    .fetch_one(connection)
    .await?;
    Ok((encadrants, total))
}
