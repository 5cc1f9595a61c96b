//! The table `profiles_student`. Every function fails with the database's error.

use crate::domain::{Person, StudentFields, profile_id};
use chrono::{DateTime, NaiveDate, Utc};
use events::{Role, UserId};
use serde_json::{Map, Value};
use sqlx::{PgConnection, types::Json};
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
    /// The language of texts for the user, when it is known.
    pub locale: Option<String>,
    pub cin: Option<String>,
    pub student_number: Option<String>,
    pub date_of_birth: Option<NaiveDate>,
    pub university: Option<String>,
    pub program: Option<String>,
    pub year_level: Option<i32>,
    pub metadata: Json<Map<String, Value>>,
    /// Raised by each change.
    pub version: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl Student {
    /// The profile that the event of a new user will make.
    pub(crate) fn expected(person: Person, fields: StudentFields) -> Self {
        let now = Utc::now();
        Self {
            id: profile_id(person.user_id, Role::Student),
            user_id: person.user_id.as_uuid(),
            email: person.email,
            first_name: person.first_name,
            last_name: person.last_name,
            phone: person.phone,
            locale: person.locale,
            cin: fields.cin,
            student_number: fields.student_number,
            date_of_birth: fields.date_of_birth,
            university: fields.university,
            program: fields.program,
            year_level: fields.year_level,
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
    pub(crate) fn fields(&self) -> StudentFields {
        StudentFields {
            cin: self.cin.clone(),
            student_number: self.student_number.clone(),
            date_of_birth: self.date_of_birth,
            university: self.university.clone(),
            program: self.program.clone(),
            year_level: self.year_level,
            metadata: self.metadata.0.clone(),
        }
    }
}

/// Reads the one student whom a condition names.
macro_rules! one {
    ($connection:expr, $condition:literal, $value:expr) => {
        sqlx::query_as!(
            Student,
            r#"select id, user_id, email, first_name, last_name, phone, locale, cin, student_number, date_of_birth, university,
                      program, year_level, metadata as "metadata: Json<Map<String, Value>>", version, created_at,
                      updated_at
               from profiles_student where "# + $condition,
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
) -> sqlx::Result<Option<Student>> {
    one!(connection, "is_active and user_id = $1", user_id.as_uuid())
}

/// Returns the profile of a user, whether it counts or not.
pub(crate) async fn of_owner(
    connection: &mut PgConnection,
    user_id: UserId,
) -> sqlx::Result<Option<Student>> {
    one!(connection, "user_id = $1", user_id.as_uuid())
}

/// Returns the profile with an e-mail.
pub(crate) async fn by_email(
    connection: &mut PgConnection,
    email: &str,
) -> sqlx::Result<Option<Student>> {
    one!(connection, "is_active and email = lower(trim($1))", email)
}

/// Returns a profile.
pub(crate) async fn by_id(
    connection: &mut PgConnection,
    id: Uuid,
) -> sqlx::Result<Option<Student>> {
    one!(connection, "is_active and id = $1", id)
}

/// Returns a profile, and locks it until the transaction ends.
pub(crate) async fn lock(connection: &mut PgConnection, id: Uuid) -> sqlx::Result<Option<Student>> {
    one!(connection, "is_active and id = $1 for update", id)
}

/// Writes the own fields of a profile, and returns it.
pub(crate) async fn set_fields(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &StudentFields,
) -> sqlx::Result<Student> {
    sqlx::query_as!(
        Student,
        r#"update profiles_student
           set cin = $2, student_number = $3, date_of_birth = $4, university = $5, program = $6, year_level = $7,
               metadata = $8, version = version + 1, updated_at = now()
           where id = $1
           returning id, user_id, email, first_name, last_name, phone, locale, cin, student_number, date_of_birth, university,
                     program, year_level, metadata as "metadata: Json<Map<String, Value>>", version, created_at,
                     updated_at"#,
        id,
        fields.cin,
        fields.student_number,
        fields.date_of_birth,
        fields.university,
        fields.program,
        fields.year_level,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await
}

/// Writes the own fields of a profile that was just made. Returns the fields whose number another student has: these
/// numbers are left out.
pub(crate) async fn fill(
    connection: &mut PgConnection,
    id: Uuid,
    fields: &StudentFields,
) -> sqlx::Result<Vec<String>> {
    let row = sqlx::query!(
        r#"update profiles_student
           set cin = (select $2 where not exists (select from profiles_student where cin = $2)),
               student_number = (select $3 where not exists (select from profiles_student where student_number = $3)),
               date_of_birth = $4, university = $5, program = $6, year_level = $7, metadata = $8
           where id = $1
           returning cin is distinct from $2 as "cin!", student_number is distinct from $3 as "student_number!""#,
        id,
        fields.cin,
        fields.student_number,
        fields.date_of_birth,
        fields.university,
        fields.program,
        fields.year_level,
        Json(&fields.metadata) as _,
    )
    .fetch_one(connection)
    .await?;
    let fields = [("cin", row.cin), ("student_number", row.student_number)];
    Ok(super::people::named(&fields))
}
