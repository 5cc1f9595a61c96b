//! Changes the own fields of profiles.

use super::update::{encadrant_updated, student_updated};
use crate::{
    domain::{EncadrantChange, Numbers, StudentChange},
    store::{
        encadrants::{self, Encadrant},
        numbers, people,
        students::{self, Student},
    },
};
use messaging::{Cause, EnqueueError, Transaction};
use uuid::Uuid;

/// Why own fields were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OwnError {
    /// The profile does not exist, or not any more.
    #[error("the profile does not exist")]
    Gone,
    /// Other profiles have these values of unique fields.
    #[error("another profile has the same {0:?}")]
    Taken(Vec<String>),
    /// There is nothing with the ids in these fields.
    #[error("{0:?} refer to nothing")]
    Unknown(Vec<&'static str>),
    /// A statement failed.
    #[error("the profile cannot be stored")]
    Database(sqlx::Error),
    /// The event cannot be published.
    #[error("the event cannot be published")]
    Enqueue(#[from] EnqueueError),
}

impl From<sqlx::Error> for OwnError {
    fn from(error: sqlx::Error) -> Self {
        match people::violated(&error) {
            Some(field) => Self::Taken(vec![field.to_owned()]),
            None => Self::Database(error),
        }
    }
}

/// Changes the own fields of a student, and announces them in one event; none when nothing changed. Returns the
/// profile.
///
/// # Errors
/// Fails when the profile does not exist, or when another one has a value that must be unique.
pub(crate) async fn change_student(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
    change: StudentChange,
) -> Result<Student, OwnError> {
    let student = students::lock(tx, id).await?.ok_or(OwnError::Gone)?;
    let mut fields = student.fields();
    let changes = fields.apply(change);
    if changes.is_empty() {
        return Ok(student);
    }
    refuse_taken(tx, student.user_id, &fields.numbers()).await?;
    let student = students::set_fields(tx, id, &fields).await?;
    let event = student_updated(id, student.person(), changes);
    tx.enqueue(cause, student.version, event).await?;
    Ok(student)
}

/// Changes the own fields of an encadrant, and announces them in one event; none when nothing changed. Returns the
/// profile.
///
/// # Errors
/// As of [`change_student`]; also when the establishment or the hospital service does not exist.
pub(crate) async fn change_encadrant(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
    change: EncadrantChange,
) -> Result<Encadrant, OwnError> {
    let encadrant = encadrants::lock(tx, id).await?.ok_or(OwnError::Gone)?;
    let mut fields = encadrant.fields();
    let changes = fields.apply(change);
    if changes.is_empty() {
        return Ok(encadrant);
    }
    refuse_taken(tx, encadrant.user_id, &fields.numbers()).await?;
    let unknown = encadrants::unknown(tx, &encadrant.fields(), &fields).await?;
    if !unknown.is_empty() {
        return Err(OwnError::Unknown(unknown));
    }
    let encadrant = encadrants::set_fields(tx, id, &fields).await?;
    let speciality = encadrant.speciality.clone();
    let event = encadrant_updated(id, encadrant.person(), speciality, changes);
    tx.enqueue(cause, encadrant.version, event).await?;
    Ok(encadrant)
}

async fn refuse_taken(
    tx: &mut Transaction,
    owner: Uuid,
    numbers: &Numbers,
) -> Result<(), OwnError> {
    match numbers::taken(tx, owner.into(), numbers).await? {
        fields if fields.is_empty() => Ok(()),
        fields => Err(OwnError::Taken(fields)),
    }
}
