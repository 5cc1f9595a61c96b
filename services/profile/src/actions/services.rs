//! Creates, changes and deletes hospital services. Each function writes the row and its event; when it fails, nothing that
//! it wrote may be committed.

use super::PlaceError;
use crate::{
    domain::{ServiceChange, ServiceFields},
    store::{
        establishments::Uses,
        services::{self as store, HospitalService},
    },
};
use events::establishments::{
    HospitalService as Described, ServiceCreated, ServiceDeleted, ServiceUpdated,
};
use messaging::{Cause, Transaction};
use uuid::Uuid;

/// Creates a service, and announces it.
///
/// # Errors
/// Fails when there is no such establishment, or when another of its services has the name.
pub(crate) async fn create_service(
    tx: &mut Transaction,
    cause: &Cause,
    fields: &ServiceFields,
) -> Result<HospitalService, PlaceError> {
    let row = store::insert(tx, Uuid::now_v7(), fields).await?;
    let event = ServiceCreated {
        service: described(&row),
    };
    tx.enqueue(cause, row.version, event).await?;
    Ok(row)
}

/// Changes a service, and announces the change in one event; none when nothing changed. Returns the row.
///
/// # Errors
/// Fails when there is no such service or establishment, when another service of the establishment has the name, or when
/// encadrants work in a service that is to belong to another establishment.
pub(crate) async fn change_service(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
    change: ServiceChange,
) -> Result<HospitalService, PlaceError> {
    let row = store::lock(tx, id).await?.ok_or(PlaceError::NoService)?;
    let mut fields = row.fields();
    let changes = fields.apply(change);
    if changes.is_empty() {
        return Ok(row);
    }
    if fields.establishment_id != row.establishment_id {
        refuse_used(tx, id).await?;
    }
    let row = store::set_fields(tx, id, &fields).await?;
    let event = ServiceUpdated {
        service: described(&row),
        changes,
    };
    tx.enqueue(cause, row.version, event).await?;
    Ok(row)
}

/// Deletes a service that no encadrant works in, and announces it.
///
/// # Errors
/// Fails when there is no such service, or when it is in use.
pub(crate) async fn delete_service(
    tx: &mut Transaction,
    cause: &Cause,
    id: Uuid,
) -> Result<(), PlaceError> {
    let row = store::lock(tx, id).await?.ok_or(PlaceError::NoService)?;
    refuse_used(tx, id).await?;
    store::delete(tx, id).await?;
    let event = ServiceDeleted {
        service: described(&row),
    };
    tx.enqueue(cause, row.version + 1, event).await?;
    Ok(())
}

async fn refuse_used(tx: &mut Transaction, id: Uuid) -> Result<(), PlaceError> {
    match store::encadrants(tx, id).await? {
        0 => Ok(()),
        encadrants => Err(PlaceError::InUse(Uses {
            services: 0,
            encadrants,
        })),
    }
}

fn described(row: &HospitalService) -> Described {
    Described {
        service_id: row.id.into(),
        establishment_id: row.establishment_id.into(),
        name: row.name.clone(),
        description: row.description.clone(),
        capacity: row.capacity,
    }
}
