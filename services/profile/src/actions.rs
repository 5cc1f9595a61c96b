//! State changes: rows and their events, on a borrowed transaction.
//!
//! An action fails with an [`ActionError`]. When it fails, nothing that it wrote may be committed.

mod announce;
mod create;
mod erase;
mod establishments;
mod own;
mod services;
mod switch;
mod update;

pub(crate) use announce::announce_profiles;
pub(crate) use create::create_profiles;
pub(crate) use erase::erase_profiles;
pub(crate) use establishments::{
    PlaceError, change_establishment, create_establishment, delete_establishment,
};
pub(crate) use own::{OwnError, change_encadrant, change_student};
pub(crate) use services::{change_service, create_service, delete_service};
pub(crate) use update::update_profiles;

use crate::domain::{Order, Person, PersonChange};
use events::{Event, Refusal, Role, UserId};
use messaging::{Cause, EnqueueError, NewEvent};
use std::collections::HashMap;

/// Why an action did not do what an event asks for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    /// The publisher of the event may not do this, or the event has no place among the others.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A statement failed.
    #[error("the profile cannot be stored")]
    Database(#[from] sqlx::Error),
    /// The event that follows cannot be published.
    #[error("the event that follows cannot be published")]
    Enqueue(#[from] EnqueueError),
}

/// A user who was created.
#[derive(Debug)]
pub(crate) struct NewUser {
    /// The cause of the profile.
    pub cause: Cause,
    /// The place of the creation among the user's events.
    pub order: Order,
    /// Decides which profile is made.
    pub role: Role,
    /// The person of the profile.
    pub person: Person,
}

/// A user who changed.
#[derive(Debug)]
pub(crate) struct UserChange {
    /// The cause of the profile's change.
    pub cause: Cause,
    /// The place of the change among the user's events.
    pub order: Order,
    /// The change of the person.
    pub change: PersonChange,
}

/// A user who was deleted.
#[derive(Debug)]
pub(crate) struct UserDeletion {
    /// The cause of the profile's deletion.
    pub cause: Cause,
    /// The place of the deletion among the user's events.
    pub order: Order,
    /// The user.
    pub user_id: UserId,
    /// The address that the user had; empty when the publisher does not say.
    pub email: String,
}

/// Makes an event of each row, with the cause that the row's user has.
fn new_events<T, E: Event>(
    causes: &HashMap<UserId, Cause>,
    rows: Vec<T>,
    event: impl Fn(T) -> (UserId, i64, E),
) -> Vec<NewEvent<E>> {
    let new_event = |row| {
        let (user_id, version, event) = event(row);
        NewEvent {
            cause: causes[&user_id].clone(),
            version,
            event,
        }
    };
    rows.into_iter().map(new_event).collect()
}
