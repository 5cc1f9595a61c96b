//! Creates, changes and deletes establishments. Each function writes the row and its event; when it fails, nothing that
//! it wrote may be committed.

use crate::{
    domain::{EstablishmentChange, EstablishmentFields},
    store::establishments::{self as store, Establishment, Uses},
};
use events::establishments::{
    Establishment as Described, EstablishmentCreated, EstablishmentDeleted, EstablishmentUpdated,
};
use messaging::{Cause, EnqueueError, Transaction};
use uuid::Uuid;

/// Why an establishment or a hospital service was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    /// The establishment does not exist, or not any more.
    #[error("there is no such establishment")]
    NoEstablishment,
    /// The service does not exist, or not any more.
    #[error("there is no such service")]
    NoService,
    /// The establishment that a service is to belong to does not exist.
    #[error("the establishment of the service does not exist")]
    UnknownEstablishment,
    /// Another establishment has the code.
    #[error("another establishment has the code")]
    CodeTaken,
    /// Another service of the establishment has the name.
    #[error("another service of the establishment has the name")]
    NameTaken,
    /// Other rows refer to it.
    #[error("{} services and {} encadrants refer to it", .0.services, .0.encadrants)]
    InUse(Uses),
    /// A statement failed.
    #[error("the row cannot be stored")]
    Database(sqlx::Error),
    /// The event cannot be published.
    #[error("the event cannot be published")]
    Enqueue(#[from] EnqueueError),
}

impl From<sqlx::Error> for PlaceError {
    fn from(error: sqlx::Error) -> Self {
        let constraint = error
            .as_database_error()
            .and_then(|error| error.constraint());
        match constraint {
            Some("profiles_establishment_code_key") => Self::CodeTaken,
            Some("profiles_service_name") => Self::NameTaken,
            Some("profiles_service_establishment_id_fkey") => Self::UnknownEstablishment,
            _ => Self::Database(error),
        }
    }
}

/// Creates an establishment, and announces it.
///
/// # Errors
/// Fails when another one has the code.
pub(crate) async fn create_establishment(
    tx: &mut Transaction,
    cause: &Cause,
    fields: &EstablishmentFields,
) -> Result<Establishment, PlaceError> {
    let row = store::insert(tx, Uuid::now_v7(), fields).await?;
    let event = EstablishmentCreated {
        establishment: described(&row),
    };
    tx.enqueue(cause, row.version, event).await?;
    Ok(row)
}

/// Changes an establishment, and announces the change in one event; none when nothing changed. Returns the row.
///
/// # Errors
/// Fails when there is no such establishment, or when another one has the code.
pub(crate) async fn change_establishment(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
    change: EstablishmentChange,
) -> Result<Establishment, PlaceError> {
    let row = store::lock(tx, id)
        .await?
        .ok_or(PlaceError::NoEstablishment)?;
    let mut fields = row.fields();
    let changes = fields.apply(change);
    if changes.is_empty() {
        return Ok(row);
    }
    let row = store::set_fields(tx, id, &fields).await?;
    let event = EstablishmentUpdated {
        establishment: described(&row),
        changes,
    };
    tx.enqueue(cause, row.version, event).await?;
    Ok(row)
}

/// Deletes an establishment that nothing refers to, and announces it.
///
/// # Errors
/// Fails when there is no such establishment, or when it is in use.
pub(crate) async fn delete_establishment(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
) -> Result<(), PlaceError> {
    let row = store::lock(tx, id)
        .await?
        .ok_or(PlaceError::NoEstablishment)?;
    let uses = store::uses(tx, id).await?;
    if uses.services + uses.encadrants > 0 {
        return Err(PlaceError::InUse(uses));
    }
    store::delete(tx, id).await?;
    let event = EstablishmentDeleted {
        establishment: described(&row),
    };
    tx.enqueue(cause, row.version + 1, event).await?;
    Ok(())
}

fn described(row: &Establishment) -> Described {
    Described {
        establishment_id: row.id.into(),
        code: row.code.clone(),
        name: row.name.clone(),
        kind: row.kind.clone(),
        wilaya: row.wilaya.clone(),
        address: row.address.clone(),
        email: row.email.clone(),
        phone: row.phone.clone(),
    }
}
