//! Creates students and encadrants, together with their users.

use super::{
    App,
    auth::Caller,
    change::{one_speciality, refuse_unknown},
    errors::{Error, gone},
    fields::{BirthDate, EmailText, Metadata, Password, YearLevel},
    new_user::{self, NewUser},
    profiles::{Encadrant, Student},
    rights::{Administrator, Staff},
    students::shown,
};
use crate::{
    domain::{EncadrantChange, EncadrantFields, StudentChange, StudentFields},
    store::{encadrants, students},
};
use axum::{Json, extract::State, http::StatusCode};
use events::Role;
use serde_json::json;
use service_kit::{
    body,
    http::{
        Common, IdempotencyKey, Problem,
        body::{Object, OptionalId, OptionalText},
        detached, docs,
    },
};

body! {
    /// A student to be created, with the user.
    pub(super) struct NewStudent {
        /// To log in with; kept in lower case.
        email: EmailText = "test.student@example.com",
        /// Without one, the user gets a mail to set one.
        password: Option<Password> = "SecurePass123!",
        first_name: Option<OptionalText<120>> = "John",
        last_name: Option<OptionalText<120>> = "Doe",
        phone: Option<OptionalText<30>> = "+33123456789",
        /// Number of the identity card; unique.
        cin: Option<OptionalText<64>> = "AB123456",
        /// Number at the university; unique.
        student_number: Option<OptionalText<64>> = "S2026-0042",
        date_of_birth: Option<BirthDate> = "2003-04-21",
        university: Option<OptionalText<255>> = "University of Algiers",
        /// Course of study.
        program: Option<OptionalText<255>> = "Medicine",
        /// Year of study.
        year_level: Option<YearLevel> = 4,
        /// What clients store.
        metadata: Option<Metadata> = {"group": "B"},
    }
}

body! {
    /// An encadrant to be created, with the user.
    pub(super) struct NewEncadrant {
        /// To log in with; kept in lower case.
        email: EmailText = "dr.johnson@example.com",
        /// Without one, the user gets a mail to set one.
        password: Option<Password> = "SecurePass123!",
        first_name: Option<OptionalText<120>> = "Sam",
        last_name: Option<OptionalText<120>> = "Johnson",
        phone: Option<OptionalText<30>> = "+33123456789",
        /// Number of the identity card; unique.
        cin: Option<OptionalText<64>> = "AB123456",
        /// Where the encadrant works.
        establishment_id: Option<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The hospital service of the encadrant.
        service_id: Option<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3e",
        position: Option<OptionalText<255>> = "Head of department",
        /// Medical specialty.
        speciality: Option<OptionalText<255>> = "Cardiology",
        /// The same as `speciality`.
        specialization: Option<OptionalText<255>> = "Cardiology",
        /// What clients store.
        metadata: Option<Metadata> = {"office": "B12"},
    }
}

/// Creates a student with the user, for administrators and encadrants.
///
/// A repeat of a request whose answer was lost is answered as the first one. Phone, identity card and date of birth are
/// answered to administrators only.
#[utoipa::path(
    post,
    path = "/profile/api/students",
    tag = "students",
    security(("access_token" = [])),
    params(IdempotencyKey),
    request_body = NewStudent,
    responses((status = CREATED, description = "The student.", body = Student)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Error::EmailTaken, &Error::NumberTaken, &Error::AuthUnavailable,
    ]))))
)]
pub(super) async fn student(
    staff: Staff,
    caller: Caller,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Object,
) -> Result<(StatusCode, Json<Student>), Problem> {
    let created_by = staff.user.id;
    let key = new_user::key(key, created_by, "students", &body);
    let body: NewStudent = body.into_body()?;
    let mut fields = StudentFields::default();
    fields.apply(StudentChange {
        cin: text(body.cin),
        student_number: text(body.student_number),
        date_of_birth: body.date_of_birth.map(|date| date.0),
        university: text(body.university),
        program: text(body.program),
        year_level: body.year_level.map(|year| year.0),
        metadata: body.metadata.map(|metadata| metadata.0),
    });
    let account = json!({
        "email": body.email.0,
        "password": body.password.and_then(Password::reveal),
        "first_name": text(body.first_name),
        "last_name": text(body.last_name),
        "phone": text(body.phone),
        "role": Role::Student,
    });
    let request = NewUser {
        caller,
        created_by,
        key,
        email: body.email.0,
        numbers: fields.numbers(),
        account,
    };
    detached(async move {
        let created = new_user::create(app.clone(), request, fields.clone()).await?;
        let mut connection = app.api.pool.acquire().await?;
        let made = students::by_user(&mut connection, created.user_id).await?;
        let expected = |person| students::Student::expected(person, fields);
        let student = made.or_else(|| created.person.map(expected));
        let student = shown(student.ok_or_else(gone)?, staff.access);
        Ok((StatusCode::CREATED, Json(student)))
    })
    .await
}

/// Creates an encadrant with the user, for administrators.
///
/// A repeat of a request whose answer was lost is answered as the first one.
#[utoipa::path(
    post,
    path = "/profile/api/encadrants",
    tag = "encadrants",
    security(("access_token" = [])),
    params(IdempotencyKey),
    request_body = NewEncadrant,
    responses((status = CREATED, description = "The encadrant.", body = Encadrant)),
    extensions(("x-problems" = json!(docs::problems(&[
        &Common::Forbidden, &Error::EmailTaken, &Error::NumberTaken, &Error::AuthUnavailable,
    ]))))
)]
pub(super) async fn encadrant(
    Administrator(user): Administrator,
    caller: Caller,
    State(app): State<App>,
    key: IdempotencyKey,
    body: Object,
) -> Result<(StatusCode, Json<Encadrant>), Problem> {
    let created_by = user.id;
    let key = new_user::key(key, created_by, "encadrants", &body);
    let body: NewEncadrant = body.into_body()?;
    let mut fields = EncadrantFields::default();
    fields.apply(EncadrantChange {
        cin: text(body.cin),
        establishment_id: body.establishment_id.map(|id| id.0),
        service_id: body.service_id.map(|id| id.0),
        position: text(body.position),
        speciality: one_speciality(text(body.speciality), text(body.specialization))?,
        metadata: body.metadata.map(|metadata| metadata.0),
    });
    let mut connection = app.api.pool.acquire().await?;
    refuse_unknown(&mut connection, &EncadrantFields::default(), &fields).await?;
    drop(connection);
    let account = json!({
        "email": body.email.0,
        "password": body.password.and_then(Password::reveal),
        "first_name": text(body.first_name),
        "last_name": text(body.last_name),
        "phone": text(body.phone),
        "role": Role::Encadrant,
    });
    let request = NewUser {
        caller,
        created_by,
        key,
        email: body.email.0,
        numbers: fields.numbers(),
        account,
    };
    detached(async move {
        let created = new_user::create(app.clone(), request, fields.clone()).await?;
        let mut connection = app.api.pool.acquire().await?;
        let made = encadrants::by_user(&mut connection, created.user_id).await?;
        let expected = |person| encadrants::Encadrant::expected(person, fields);
        let encadrant = made.or_else(|| created.person.map(expected));
        let encadrant = encadrant.ok_or_else(gone)?;
        Ok((StatusCode::CREATED, Json(encadrant.into())))
    })
    .await
}

fn text<const MAX: usize>(field: Option<OptionalText<MAX>>) -> Option<Option<String>> {
    field.map(|text| text.0)
}
