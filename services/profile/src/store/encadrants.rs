//! The table `profiles_encadrant`. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
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
    /// Medical specialty, when it is known.
    pub speciality: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Returns the profile of a user.
pub(crate) async fn by_user(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Encadrant>> {
    sqlx::query_as!(
        Encadrant,
        "select id, user_id, email, first_name, last_name, phone, speciality, created_at, updated_at
         from profiles_encadrant where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
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
