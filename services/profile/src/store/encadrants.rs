//! The table `profiles_encadrant`.

use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

super::people::statements!("profiles_encadrant");

/// An encadrant's profile, as stored.
#[derive(Debug)]
pub struct Encadrant {
    /// The profile.
    pub id: Uuid,
    /// The account.
    pub user_id: Uuid,
    /// In lower case.
    pub email: String,
    /// Empty when not known.
    pub first_name: String,
    /// Empty when not known.
    pub last_name: String,
    /// As the user wrote it.
    pub phone: Option<String>,
    /// Medical specialty, when known.
    pub speciality: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The profile of an account.
///
/// # Errors
/// When the database refuses.
pub async fn by_user(
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

/// The medical specialties of those that have one.
///
/// # Errors
/// When the database refuses.
pub async fn specialities(
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
