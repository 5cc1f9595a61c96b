//! The door for events: one line for each, and its function.

use crate::{
    actions,
    domain::{self, NewNotification, Notice, Recipient},
};
use events::{
    Event, UserId,
    auth::UserDeleted,
    internships::{
        EvaluationCreated, EvaluationUpdated, GradeAssigned, StageAccepted, StageCancelled,
        StageCompleted, StageCreated, StageRejected, StageStarted,
    },
    profile::{
        EncadrantCreated, EncadrantDeleted, EncadrantUpdated, StudentCreated, StudentDeleted,
        StudentUpdated,
    },
};
use messaging::{Failure, Handlers, Message, Transaction};

/// What comm-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new()
        .on(on_student_created)
        .on(on_student_updated)
        .on(on_student_deleted)
        .on(on_encadrant_created)
        .on(on_encadrant_updated)
        .on(on_encadrant_deleted)
        .on(on_user_deleted)
        .on(actions::tell_students::<StageCreated>)
        .on(actions::tell_students::<StageAccepted>)
        .on(actions::tell_students::<StageRejected>)
        .on(actions::tell_students::<StageStarted>)
        .on(actions::tell_students::<StageCompleted>)
        .on(actions::tell_students::<StageCancelled>)
        .on(actions::tell_students::<EvaluationCreated>)
        .on(actions::tell_students::<EvaluationUpdated>)
        .on(actions::tell_students::<GradeAssigned>)
}

async fn on_student_created(
    tx: &mut Transaction,
    events: &[Message<StudentCreated>],
) -> Result<(), Failure> {
    let students = recipients(events, |student| {
        (student.user_id, Some(student.student_id))
    });
    let welcomes = notifications(events, |student| {
        (student.user_id, domain::student_welcome(student))
    });
    actions::welcome(tx, &students, welcomes).await
}

/// Nobody is told; but whoever is named is known from now on.
async fn on_student_updated(
    tx: &mut Transaction,
    events: &[Message<StudentUpdated>],
) -> Result<(), Failure> {
    let students = recipients(events, |student| {
        (student.user_id, Some(student.student_id))
    });
    actions::welcome(tx, &students, Vec::new()).await
}

async fn on_student_deleted(
    tx: &mut Transaction,
    events: &[Message<StudentDeleted>],
) -> Result<(), Failure> {
    let students = recipients(events, |student| {
        (student.user_id, Some(student.student_id))
    });
    actions::erase(tx, &students).await
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Message<EncadrantCreated>],
) -> Result<(), Failure> {
    let encadrants = recipients(events, |encadrant| (encadrant.user_id, None));
    let welcomes = notifications(events, |encadrant| {
        (encadrant.user_id, domain::encadrant_welcome(encadrant))
    });
    actions::welcome(tx, &encadrants, welcomes).await
}

/// Nobody is told, and nothing is kept of an encadrant that could change.
async fn on_encadrant_updated(
    _: &mut Transaction,
    _: &[Message<EncadrantUpdated>],
) -> Result<(), Failure> {
    Ok(())
}

async fn on_encadrant_deleted(
    tx: &mut Transaction,
    events: &[Message<EncadrantDeleted>],
) -> Result<(), Failure> {
    actions::erase(
        tx,
        &recipients(events, |encadrant| (encadrant.user_id, None)),
    )
    .await
}

/// For accounts without a profile, and for whoever has one a moment earlier.
async fn on_user_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    actions::erase(tx, &recipients(events, |user| (user.user_id, None))).await
}

fn recipients<E: Event>(events: &[Message<E>], who: impl Fn(&E) -> Recipient) -> Vec<Recipient> {
    events.iter().map(|event| who(&event.payload)).collect()
}

fn notifications<E: Event>(
    events: &[Message<E>],
    what: impl Fn(&E) -> (UserId, Notice),
) -> Vec<NewNotification> {
    let notification = |event: &Message<E>| {
        let (user_id, notice) = what(&event.payload);
        NewNotification {
            user_id,
            source_event: event.meta.event_id,
            notice,
        }
    };
    events.iter().map(notification).collect()
}
