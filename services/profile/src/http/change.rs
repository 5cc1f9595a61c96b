//! Changes of profiles, by their owners and by administrators.
//!
//! auth-service keeps names and phones. It is asked first, so that nothing is half done when it refuses or does not
//! answer; the values return in its event.

use super::{
    App,
    auth::Caller,
    effect::Effect,
    errors::{gone, taken, unknown},
    fields::{BirthDate, Metadata, YearLevel},
};
use crate::{
    actions,
    domain::{EncadrantChange, EncadrantFields, Person, StudentChange},
    store::{
        encadrants::{self, Encadrant},
        numbers,
        students::{self, Student},
    },
};
use serde_json::{Map, Value};
use service_kit::{
    body,
    http::{
        Problem,
        body::{OptionalId, OptionalText, Patch},
        detached,
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

body! {
    /// A field that is absent keeps its value; `null` and an empty text clear it.
    pub(super) struct StudentPatch {
        first_name: Patch<OptionalText<120>> = "Johnny",
        last_name: Patch<OptionalText<120>> = "Doe",
        phone: Patch<OptionalText<30>> = "+33123456780",
        /// Number of the identity card; unique.
        cin: Patch<OptionalText<64>> = "AB123456",
        /// Number at the university; unique.
        student_number: Patch<OptionalText<64>> = "S2026-0042",
        date_of_birth: Patch<BirthDate> = "2003-04-21",
        university: Patch<OptionalText<255>> = "University of Algiers",
        /// Course of study.
        program: Patch<OptionalText<255>> = "Medicine",
        /// Year of study.
        year_level: Patch<YearLevel> = 4,
        /// What clients store.
        metadata: Patch<Metadata> = {"group": "B"},
    }
}

body! {
    /// A field that is absent keeps its value; `null` and an empty text clear it.
    pub(super) struct EncadrantPatch {
        first_name: Patch<OptionalText<120>> = "Sam",
        last_name: Patch<OptionalText<120>> = "Johnson",
        phone: Patch<OptionalText<30>> = "+33123456780",
        /// Number of the identity card; unique.
        cin: Patch<OptionalText<64>> = "AB123456",
        /// Where the encadrant works.
        establishment_id: Patch<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3d",
        /// The hospital service of the encadrant.
        service_id: Patch<OptionalId> = "0197f3a2-6c1e-7c4a-9f0e-5d2f8a1b6c3e",
        position: Patch<OptionalText<255>> = "Head of department",
        /// Medical specialty.
        speciality: Patch<OptionalText<255>> = "Cardiology",
        /// The same as `speciality`.
        specialization: Patch<OptionalText<255>> = "Cardiology",
        /// What clients store.
        metadata: Patch<Metadata> = {"office": "B12"},
    }
}

/// Whose profile is changed, and who sends the change.
pub(super) struct Change<Body> {
    /// Handed on to auth-service.
    pub(super) caller: Caller,
    /// The user, as auth-service's path names one: `me`, or an id.
    pub(super) who: String,
    /// What the request says.
    pub(super) body: Body,
}

/// Changes a student's profile.
pub(super) async fn student(
    app: App,
    student: Student,
    change: Change<StudentPatch>,
) -> Result<Student, Problem> {
    let Change { caller, who, body } = change;
    let names = names([
        ("first_name", body.first_name),
        ("last_name", body.last_name),
    ]);
    let names = with_phone(names, body.phone);
    let own = StudentChange {
        cin: text(body.cin),
        student_number: text(body.student_number),
        date_of_birth: body.date_of_birth.0.map(|date| date.0),
        university: text(body.university),
        program: text(body.program),
        year_level: body.year_level.0.map(|year| year.0),
        metadata: body.metadata.0.map(|metadata| metadata.0),
    };
    detached(async move {
        let pool = &app.api.pool;
        let mut fields = student.fields();
        fields.apply(own.clone());
        let numbers = fields.numbers();
        let owner = student.user_id.into();
        let others = numbers::taken(&mut *pool.acquire().await?, owner, &numbers).await?;
        refuse(&others)?;
        let person = ask(&app, &caller, &who, names).await?;
        let mut tx = app.outbox.begin().await?;
        let mut student =
            actions::change_student(&mut tx, &caller.cause(), student.id, own).await?;
        tx.commit().await?;
        if let Some(person) = person {
            Effect::Change(&person).wait(pool).await?;
            let row = students::by_id(&mut *pool.acquire().await?, student.id).await?;
            student = row.ok_or_else(gone)?;
            student.first_name = person.first_name;
            student.last_name = person.last_name;
            student.phone = person.phone;
        }
        Ok(student)
    })
    .await
}

/// Changes an encadrant's profile.
pub(super) async fn encadrant(
    app: App,
    encadrant: Encadrant,
    change: Change<EncadrantPatch>,
) -> Result<Encadrant, Problem> {
    let Change { caller, who, body } = change;
    let names = names([
        ("first_name", body.first_name),
        ("last_name", body.last_name),
    ]);
    let names = with_phone(names, body.phone);
    let own = EncadrantChange {
        cin: text(body.cin),
        establishment_id: body.establishment_id.0.map(|id| id.0),
        service_id: body.service_id.0.map(|id| id.0),
        position: text(body.position),
        speciality: one_speciality(text(body.speciality), text(body.specialization))?,
        metadata: body.metadata.0.map(|metadata| metadata.0),
    };
    detached(async move {
        let pool = &app.api.pool;
        let mut fields = encadrant.fields();
        fields.apply(own.clone());
        let numbers = fields.numbers();
        let owner = encadrant.user_id.into();
        let mut connection = pool.acquire().await?;
        let others = numbers::taken(&mut connection, owner, &numbers).await?;
        refuse(&others)?;
        refuse_unknown(&mut connection, &encadrant.fields(), &fields).await?;
        drop(connection);
        let person = ask(&app, &caller, &who, names).await?;
        let mut tx = app.outbox.begin().await?;
        let id = encadrant.id;
        let mut encadrant = actions::change_encadrant(&mut tx, &caller.cause(), id, own).await?;
        tx.commit().await?;
        if let Some(person) = person {
            Effect::Change(&person).wait(pool).await?;
            let row = encadrants::by_id(&mut *pool.acquire().await?, id).await?;
            encadrant = row.ok_or_else(gone)?;
            encadrant.first_name = person.first_name;
            encadrant.last_name = person.last_name;
            encadrant.phone = person.phone;
        }
        Ok(encadrant)
    })
    .await
}

/// Deletes a user at auth-service, and waits for the event that erases the profile.
pub(super) async fn delete(app: App, caller: Caller, user_id: Uuid) -> Result<(), Problem> {
    detached(async move {
        app.auth.delete(&caller, user_id).await?;
        Effect::Deletion(user_id.into()).wait(&app.api.pool).await?;
        Ok(())
    })
    .await
}

fn text<const MAX: usize>(patch: Patch<OptionalText<MAX>>) -> Option<Option<String>> {
    patch.0.map(|text| text.0)
}

/// What a request says of the names, for auth-service.
fn names<const N: usize>(fields: [(&str, Patch<OptionalText<120>>); N]) -> Map<String, Value> {
    let said = fields
        .into_iter()
        .filter_map(|(name, patch)| Some((name.to_owned(), text(patch)?.into())));
    said.collect()
}

fn with_phone(mut names: Map<String, Value>, phone: Patch<OptionalText<30>>) -> Map<String, Value> {
    if let Some(phone) = text(phone) {
        names.insert("phone".to_owned(), phone.into());
    }
    names
}

/// The speciality under either of its two names.
pub(super) fn one_speciality<T: PartialEq>(
    speciality: Option<T>,
    specialization: Option<T>,
) -> Result<Option<T>, Problem> {
    match (speciality, specialization) {
        (Some(one), Some(other)) if one != other => {
            let message = "Must be the same as speciality, or absent.".to_owned();
            let errors = [("specialization".to_owned(), vec![message])];
            Err(Problem::validation(errors.into()))
        }
        (one, other) => Ok(one.or(other)),
    }
}

fn refuse(others: &[String]) -> Result<(), Problem> {
    if others.is_empty() {
        return Ok(());
    }
    Err(taken(others))
}

/// Refuses the id of an establishment or of a hospital service that does not exist.
pub(super) async fn refuse_unknown(
    connection: &mut PgConnection,
    before: &EncadrantFields,
    fields: &EncadrantFields,
) -> Result<(), Problem> {
    match &encadrants::unknown(connection, before, fields).await?[..] {
        [] => Ok(()),
        fields => Err(unknown(fields)),
    }
}

async fn ask(
    app: &App,
    caller: &Caller,
    who: &str,
    names: Map<String, Value>,
) -> Result<Option<Person>, Problem> {
    if names.is_empty() {
        return Ok(None);
    }
    let person = app.auth.change(caller, who, &names.into()).await?;
    Ok(Some(person))
}
