//! Creates students and encadrants, together with their users.
//!
//! The own fields are stored first, under an id that is drawn here. Then auth-service is asked to create a user with this
//! id, and its event makes the profile with these fields. So an answer that is lost loses nothing: the event completes
//! the profile, and a repeat of the request has the same id.

use super::{
    App,
    auth::{AuthError, Caller},
    change::one_speciality,
    effect::Effect,
    errors::{Error, taken},
    fields::{BirthDate, EmailText, Metadata, Password, YearLevel},
    profiles::{Encadrant, Student},
    rights::{Administrator, Staff},
};
use crate::{
    domain::{EncadrantChange, EncadrantFields, Person, StudentChange, StudentFields},
    store::{
        encadrants,
        expected::{self, Expected},
        students,
    },
};
use axum::{Json, extract::State, http::StatusCode};
use events::{Role, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use service_kit::{
    body,
    http::{
        Body, Common, Problem,
        body::{OptionalId, OptionalText},
        detached, docs,
    },
};
use uuid::Uuid;

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
/// A repeat of a request whose answer was lost is answered as the first one.
#[utoipa::path(
    post,
    path = "/profile/api/students",
    tag = "students",
    security(("access_token" = [])),
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
    Body(body): Body<NewStudent>,
) -> Result<(StatusCode, Json<Student>), Problem> {
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
    let others = students::taken(&mut *app.api.pool.acquire().await?, Uuid::nil(), &fields).await?;
    if !others.is_empty() {
        return Err(taken(&others));
    }
    let account = json!({
        "email": body.email.0,
        "password": body.password.and_then(Password::reveal),
        "first_name": text(body.first_name),
        "last_name": text(body.last_name),
        "phone": text(body.phone),
        "role": Role::Student,
    });
    let asked = Asked {
        caller,
        created_by: staff.user.id,
        email: body.email.0,
        role: Role::Student,
        account,
    };
    detached(async move {
        let person = create(&app, asked, &fields).await?;
        let made = students::by_user(&mut *app.api.pool.acquire().await?, person.user_id).await?;
        let student = made.unwrap_or_else(|| students::Student::expected(person, fields));
        Ok((StatusCode::CREATED, Json(student.into())))
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
    Body(body): Body<NewEncadrant>,
) -> Result<(StatusCode, Json<Encadrant>), Problem> {
    let mut fields = EncadrantFields::default();
    fields.apply(EncadrantChange {
        cin: text(body.cin),
        establishment_id: body.establishment_id.map(|id| id.0),
        service_id: body.service_id.map(|id| id.0),
        position: text(body.position),
        speciality: one_speciality(text(body.speciality), text(body.specialization))?,
        metadata: body.metadata.map(|metadata| metadata.0),
    });
    let others =
        encadrants::taken(&mut *app.api.pool.acquire().await?, Uuid::nil(), &fields).await?;
    if !others.is_empty() {
        return Err(taken(&others));
    }
    let account = json!({
        "email": body.email.0,
        "password": body.password.and_then(Password::reveal),
        "first_name": text(body.first_name),
        "last_name": text(body.last_name),
        "phone": text(body.phone),
        "role": Role::Encadrant,
    });
    let asked = Asked {
        caller,
        created_by: user.id,
        email: body.email.0,
        role: Role::Encadrant,
        account,
    };
    detached(async move {
        let person = create(&app, asked, &fields).await?;
        let made = encadrants::by_user(&mut *app.api.pool.acquire().await?, person.user_id).await?;
        let encadrant = made.unwrap_or_else(|| encadrants::Encadrant::expected(person, fields));
        Ok((StatusCode::CREATED, Json(encadrant.into())))
    })
    .await
}

/// What auth-service is asked for, and by whom.
struct Asked {
    caller: Caller,
    created_by: UserId,
    email: String,
    role: Role,
    /// The body for auth-service, without the id.
    account: Value,
}

/// Stores the own fields, creates the user, and waits for the profile.
async fn create<Fields: Serialize + Sync>(
    app: &App,
    mut asked: Asked,
    fields: &Fields,
) -> Result<Person, Problem> {
    let pool = &app.api.pool;
    let expected = Expected {
        user_id: UserId::new(),
        created_by: asked.created_by,
        email: &asked.email,
        role: asked.role,
        fields,
    };
    let (user_id, is_new) = expected::put(&mut *pool.acquire().await?, expected).await?;
    asked.account["id"] = json!(user_id);
    let answer = app.auth.create(&asked.caller, &asked.account).await;
    let mut connection = pool.acquire().await?;
    match answer {
        Ok(person) => {
            expected::confirm(&mut connection, user_id).await?;
            drop(connection);
            Effect::Creation(user_id).wait(pool).await?;
            Ok(person)
        }
        // The first try of a repeat may have created the user, unless the address is another user's.
        Err(AuthError::Refused(status, problem)) if is_new || status == StatusCode::CONFLICT => {
            expected::take(&mut connection, &[user_id]).await?;
            Err(problem)
        }
        Err(error) => Err(error.into()),
    }
}

fn text<const MAX: usize>(field: Option<OptionalText<MAX>>) -> Option<Option<String>> {
    field.map(|text| text.0)
}
