//! The door for events: one line for each, and its function.

use crate::{actions, domain};
use events::profile::{EncadrantCreated, StudentCreated};
use messaging::{Failure, Handlers, Received, Transaction};

/// What comm-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new().on(on_student_created).on(on_encadrant_created)
}

async fn on_student_created(
    tx: &mut Transaction,
    events: &[Received<StudentCreated>],
) -> Result<(), Failure> {
    let welcome = |event: &Received<StudentCreated>| {
        let student = &event.payload;
        domain::student_welcome(
            event.meta.event_id,
            student.student_id,
            student.user_id,
            &student.first_name,
            &student.last_name,
        )
    };
    actions::notify(tx, events.iter().map(welcome).collect()).await
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Received<EncadrantCreated>],
) -> Result<(), Failure> {
    let welcome = |event: &Received<EncadrantCreated>| {
        let encadrant = &event.payload;
        domain::encadrant_welcome(
            event.meta.event_id,
            encadrant.encadrant_id,
            encadrant.user_id,
            &encadrant.first_name,
            &encadrant.last_name,
        )
    };
    actions::notify(tx, events.iter().map(welcome).collect()).await
}
