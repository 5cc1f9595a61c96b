//! Profiles, as the API shows them.

use crate::store::{encadrants, students};
use chrono::{DateTime, NaiveDate, Utc};
use events::Role;
use serde::Serialize;
use serde_json::{Map, Value};
use service_kit::http::body::one_of;
use utoipa::{ToSchema, openapi::Object as Schema};
use uuid::Uuid;

/// The user of a profile, once more: some pages read the names here.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct UserData {
    /// The user.
    id: Uuid,
    #[schema(examples("john.doe@example.com"))]
    email: String,
    #[schema(examples("John"))]
    first_name: String,
    #[schema(examples("Doe"))]
    last_name: String,
}

/// A student's profile.
#[derive(Serialize, ToSchema)]
pub(super) struct Student {
    /// The profile.
    id: Uuid,
    /// The user.
    user_id: Uuid,
    #[schema(schema_with = student_role)]
    role: Role,
    /// In lower case.
    #[schema(examples("john.doe@example.com"))]
    email: String,
    /// Empty when not known.
    #[schema(examples("John"))]
    first_name: String,
    /// Empty when not known.
    #[schema(examples("Doe"))]
    last_name: String,
    /// Shown to the student and to administrators.
    #[schema(examples("+33123456789"))]
    phone: Option<String>,
    /// Number of the identity card; shown to the student and to administrators.
    #[schema(examples("AB123456"))]
    cin: Option<String>,
    /// Number at the university.
    #[schema(examples("S2026-0042"))]
    student_number: Option<String>,
    /// Shown to the student and to administrators.
    #[schema(examples("2003-04-21"))]
    date_of_birth: Option<NaiveDate>,
    #[schema(examples("University of Algiers"))]
    university: Option<String>,
    /// Course of study.
    #[schema(examples("Medicine"))]
    program: Option<String>,
    /// Year of study.
    #[schema(examples(4), minimum = 1, maximum = 12)]
    year_level: Option<i32>,
    /// What clients store.
    #[schema(value_type = Object, example = json!({"group": "B"}))]
    metadata: Map<String, Value>,
    user: UserData,
    /// The same as `user`.
    user_data: UserData,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// An encadrant's profile.
#[derive(Serialize, ToSchema)]
pub(super) struct Encadrant {
    /// The profile.
    id: Uuid,
    /// The user.
    user_id: Uuid,
    #[schema(schema_with = encadrant_role)]
    role: Role,
    /// In lower case.
    #[schema(examples("dr.johnson@example.com"))]
    email: String,
    /// Empty when not known.
    #[schema(examples("Sam"))]
    first_name: String,
    /// Empty when not known.
    #[schema(examples("Johnson"))]
    last_name: String,
    /// Shown to the encadrant and to administrators.
    #[schema(examples("+33123456789"))]
    phone: Option<String>,
    /// Number of the identity card; shown to the encadrant and to administrators.
    #[schema(examples("AB123456"))]
    cin: Option<String>,
    /// Where the encadrant works.
    establishment_id: Option<Uuid>,
    /// The hospital service of the encadrant.
    service_id: Option<Uuid>,
    #[schema(examples("Head of department"))]
    position: Option<String>,
    /// Medical specialty.
    #[schema(examples("Cardiology"))]
    speciality: Option<String>,
    /// The same as `speciality`.
    #[schema(examples("Cardiology"))]
    specialization: Option<String>,
    /// What clients store.
    #[schema(value_type = Object, example = json!({"office": "B12"}))]
    metadata: Map<String, Value>,
    user: UserData,
    /// The same as `user`.
    user_data: UserData,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

fn student_role() -> Schema {
    role(Role::Student)
}

fn encadrant_role() -> Schema {
    role(Role::Encadrant)
}

fn role(role: Role) -> Schema {
    let schema = one_of([role.as_str()]);
    schema.description(Some("What the user is.")).build()
}

impl From<students::Student> for Student {
    fn from(student: students::Student) -> Self {
        let user = UserData {
            id: student.user_id,
            email: student.email.clone(),
            first_name: student.first_name.clone(),
            last_name: student.last_name.clone(),
        };
        Self {
            user_data: user.clone(),
            user,
            id: student.id,
            user_id: student.user_id,
            role: Role::Student,
            email: student.email,
            first_name: student.first_name,
            last_name: student.last_name,
            phone: student.phone,
            cin: student.cin,
            student_number: student.student_number,
            date_of_birth: student.date_of_birth,
            university: student.university,
            program: student.program,
            year_level: student.year_level,
            metadata: student.metadata.0,
            created_at: student.created_at,
            updated_at: student.updated_at,
        }
    }
}

impl From<encadrants::Encadrant> for Encadrant {
    fn from(encadrant: encadrants::Encadrant) -> Self {
        let user = UserData {
            id: encadrant.user_id,
            email: encadrant.email.clone(),
            first_name: encadrant.first_name.clone(),
            last_name: encadrant.last_name.clone(),
        };
        Self {
            user_data: user.clone(),
            user,
            id: encadrant.id,
            user_id: encadrant.user_id,
            role: Role::Encadrant,
            email: encadrant.email,
            first_name: encadrant.first_name,
            last_name: encadrant.last_name,
            phone: encadrant.phone,
            cin: encadrant.cin,
            establishment_id: encadrant.establishment_id,
            service_id: encadrant.service_id,
            position: encadrant.position,
            specialization: encadrant.speciality.clone(),
            speciality: encadrant.speciality,
            metadata: encadrant.metadata.0,
            created_at: encadrant.created_at,
            updated_at: encadrant.updated_at,
        }
    }
}
