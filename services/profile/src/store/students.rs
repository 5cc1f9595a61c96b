//! The table `profiles_student`. Every function fails with the database's error.

use chrono::{DateTime, Utc};
use events::UserId;
use sqlx::PgConnection;
use uuid::Uuid;

super::people::statements!("profiles_student");

/// A student's profile, as stored.
#[derive(Debug)]
pub(crate) struct Student {
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
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// Returns the profile of a user.
pub(crate) async fn by_user(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Student>> {
    sqlx::query_as!(
        Student,
        "select id, user_id, email, first_name, last_name, phone, created_at, updated_at
         from profiles_student where user_id = $1",
        user_id.as_uuid()
    )
    .fetch_optional(connection)
    .await
}

/// Returns the profile with an e-mail.
pub(crate) async fn by_email(
    connection: &mut PgConnection,
    email: &str,
) -> sqlx::Result<Option<Student>> {
    sqlx::query_as!(
        Student,
        "select id, user_id, email, first_name, last_name, phone, created_at, updated_at
         from profiles_student where email = lower(trim($1))",
        email
    )
    .fetch_optional(connection)
    .await
}
