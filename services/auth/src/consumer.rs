//! The door for events: one line for each, and its function.

use crate::{actions, domain::ProfileLink};
use events::{
    Event, UserId,
    profile::{EncadrantCreated, EncadrantDeleted, StudentCreated, StudentDeleted},
};
use messaging::{Failure, Handlers, Message, Transaction};
use uuid::Uuid;

/// What auth-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new()
        .on(on_student_created)
        .on(on_student_deleted)
        .on(on_encadrant_created)
        .on(on_encadrant_deleted)
}

async fn on_student_created(
    tx: &mut Transaction,
    events: &[Message<StudentCreated>],
) -> Result<(), Failure> {
    actions::users::link_profiles(tx, &links(events, made, |student| student.user_id)).await
}

async fn on_student_deleted(
    tx: &mut Transaction,
    events: &[Message<StudentDeleted>],
) -> Result<(), Failure> {
    actions::users::link_profiles(tx, &links(events, gone, |student| student.user_id)).await
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Message<EncadrantCreated>],
) -> Result<(), Failure> {
    actions::users::link_profiles(tx, &links(events, made, |encadrant| encadrant.user_id)).await
}

async fn on_encadrant_deleted(
    tx: &mut Transaction,
    events: &[Message<EncadrantDeleted>],
) -> Result<(), Failure> {
    actions::users::link_profiles(tx, &links(events, gone, |encadrant| encadrant.user_id)).await
}

/// The profile and its version after the event. Publishers that are not ours count no versions: what they make is
/// the first, what they delete is the last.
type Word = (Option<Uuid>, i64);

fn made<E: Event>(event: &Message<E>) -> Word {
    (
        Some(event.payload.aggregate_id()),
        event.meta.aggregate_version.unwrap_or(1),
    )
}

fn gone<E: Event>(event: &Message<E>) -> Word {
    (None, event.meta.aggregate_version.unwrap_or(i64::MAX))
}

fn links<E: Event>(
    events: &[Message<E>],
    word: impl Fn(&Message<E>) -> Word,
    user_id: impl Fn(&E) -> UserId,
) -> Vec<ProfileLink> {
    let link = |event: &Message<E>| {
        let (profile_id, version) = word(event);
        ProfileLink {
            user_id: user_id(&event.payload),
            profile_id,
            version,
        }
    };
    events.iter().map(link).collect()
}
