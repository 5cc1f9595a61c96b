//! The table `profiles_student`.

use super::Columns;
use crate::domain::Person;
use chrono::{DateTime, Utc};
use events::{StudentId, UserId};
use sqlx::PgConnection;
use std::collections::HashSet;
use uuid::Uuid;

/// A student's profile, as stored.
#[derive(Debug)]
pub struct Student {
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
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Makes profiles for people who have none, in one round trip. Tells which were made.
///
/// # Errors
/// When the database refuses.
pub async fn insert(
    connection: &mut PgConnection,
    profiles: &[(StudentId, Person)],
) -> sqlx::Result<HashSet<StudentId>> {
    let ids: Vec<Uuid> = profiles.iter().map(|(id, _)| id.as_uuid()).collect();
    let people = Columns::of(profiles.iter().map(|(_, person)| person));
    let made = sqlx::query_scalar!(
        "insert into profiles_student (id, user_id, email, first_name, last_name, phone)
         select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
         on conflict (user_id) do nothing
         returning id",
        &ids,
        &people.user_ids,
        &people.emails,
        &people.first_names,
        &people.last_names,
        &people.phones as &[Option<String>],
    )
    .fetch_all(connection)
    .await?;
    Ok(made.into_iter().map(StudentId::from).collect())
}

/// The profile of an account.
///
/// # Errors
/// When the database refuses.
pub async fn by_user(connection: &mut PgConnection, user_id: UserId) -> sqlx::Result<Option<Student>> {
    sqlx::query_as!(
        Student,
        "select id, user_id, email, first_name, last_name, phone, created_at, updated_at
         from profiles_student where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}
