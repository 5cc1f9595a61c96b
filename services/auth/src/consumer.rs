//! The door for events: one function for each, which turns payloads into values and calls an action.

use crate::{actions, domain::ProfileLink};
use events::{
    Event, Role, UserId,
    profile::{EncadrantCreated, EncadrantDeleted, StudentCreated, StudentDeleted},
};
use messaging::{Consume, Failure, Handlers, Message, Transaction};

/// Returns the queue of the service, with the handlers of its events.
pub(crate) fn consume() -> Consume {
    Consume {
        service: &events::topology::AUTH,
        handlers: handlers(),
        announce: Some(|tx, users| Box::pin(actions::announce::announce(tx, users))),
        migrators: &crate::MIGRATORS,
    }
}

/// The handlers of auth-service.
fn handlers() -> Handlers {
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
    let link =
        |event: &Message<StudentCreated>| created(event, event.payload.user_id, Role::Student);
    Ok(actions::users::link_profiles(tx, &links(events, link)).await?)
}

async fn on_student_deleted(
    tx: &mut Transaction,
    events: &[Message<StudentDeleted>],
) -> Result<(), Failure> {
    let user_id = |student: &StudentDeleted| student.user_id;
    check_publishers(tx, events, user_id).await?;
    let link =
        |event: &Message<StudentDeleted>| deleted(event, event.payload.user_id, Role::Student);
    Ok(actions::users::link_profiles(tx, &links(events, link)).await?)
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Message<EncadrantCreated>],
) -> Result<(), Failure> {
    let link =
        |event: &Message<EncadrantCreated>| created(event, event.payload.user_id, Role::Encadrant);
    Ok(actions::users::link_profiles(tx, &links(events, link)).await?)
}

async fn on_encadrant_deleted(
    tx: &mut Transaction,
    events: &[Message<EncadrantDeleted>],
) -> Result<(), Failure> {
    let user_id = |encadrant: &EncadrantDeleted| encadrant.user_id;
    check_publishers(tx, events, user_id).await?;
    let link =
        |event: &Message<EncadrantDeleted>| deleted(event, event.payload.user_id, Role::Encadrant);
    Ok(actions::users::link_profiles(tx, &links(events, link)).await?)
}

fn links<E: Event>(
    events: &[Message<E>],
    link: impl Fn(&Message<E>) -> ProfileLink,
) -> Vec<ProfileLink> {
    events.iter().map(link).collect()
}

/// Refuses the deletion of a profile by a publisher that counts no versions, when a publisher with versions describes the
/// profile, unless an operator had it replayed.
async fn check_publishers<E>(
    tx: &mut Transaction,
    events: &[Message<E>],
    user_id: impl Fn(&E) -> UserId,
) -> Result<(), Failure> {
    let foreign: Vec<UserId> = events
        .iter()
        .filter(|event| event.meta.aggregate_version.is_none() && !event.confirmed)
        .map(|event| user_id(&event.payload))
        .collect();
    if foreign.is_empty() || !actions::users::have_profiles(tx, &foreign).await? {
        return Ok(());
    }
    Err(Failure::Refused {
        kind: "foreign_deletion",
        reason: "its publisher counts no versions, and another one that does has spoken of this profile; nothing has \
                 changed; a replay removes the link to the profile for good"
            .to_owned(),
    })
}

/// A publisher that is not ours counts no versions: its creation counts as the first.
fn created<E: Event>(event: &Message<E>, user_id: UserId, role: Role) -> ProfileLink {
    ProfileLink {
        user_id,
        role,
        profile_id: Some(event.payload.aggregate_id()),
        version: event.meta.aggregate_version.unwrap_or(1),
    }
}

/// A publisher that is not ours counts no versions: its deletion counts as the last.
fn deleted<E: Event>(event: &Message<E>, user_id: UserId, role: Role) -> ProfileLink {
    ProfileLink {
        user_id,
        role,
        profile_id: None,
        version: event.meta.aggregate_version.unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::AUTH;

    #[test]
    fn every_event_that_the_queue_receives_has_a_handler() {
        assert_eq!(handlers().differences(&AUTH.queue), Vec::<String>::new());
    }
}
