//! The door for events: one line for each, and its function.

use crate::actions;
use events::profile::{EncadrantCreated, StudentCreated};
use messaging::{Failure, Handlers, Received, Transaction};

/// What auth-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new().on(on_student_created).on(on_encadrant_created)
}

async fn on_student_created(
    tx: &mut Transaction,
    events: &[Received<StudentCreated>],
) -> Result<(), Failure> {
    let links = events.iter().map(|event| (event.payload.user_id, event.payload.student_id.as_uuid()));
    actions::users::link_profiles(tx, &links.collect::<Vec<_>>()).await
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Received<EncadrantCreated>],
) -> Result<(), Failure> {
    let links = events.iter().map(|event| (event.payload.user_id, event.payload.encadrant_id.as_uuid()));
    actions::users::link_profiles(tx, &links.collect::<Vec<_>>()).await
}
