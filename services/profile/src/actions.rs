//! State changes: rows and their events, on a borrowed transaction.
//!
//! An action fails with the error of the database, or of the events that follow from it.

mod announce;
mod create;
mod erase;
mod update;

pub(crate) use announce::announce_profiles;
pub(crate) use create::create_profiles;
pub(crate) use erase::erase_profiles;
pub(crate) use update::update_profiles;

use crate::domain::{Person, PersonChange, Stamp};
use events::{Event, Role, UserId};
use messaging::{Cause, NewEvent};
use std::collections::HashMap;

/// A user who was created.
#[derive(Debug)]
pub(crate) struct NewUser {
    /// The cause of the profile.
    pub cause: Cause,
    /// The version of the user.
    pub stamp: Stamp,
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
    /// The version of the user.
    pub stamp: Stamp,
    /// The change of the person.
    pub change: PersonChange,
}

/// A user who was deleted.
#[derive(Debug)]
pub(crate) struct UserDeletion {
    /// The cause of the profile's deletion.
    pub cause: Cause,
    /// The version of the user.
    pub stamp: Stamp,
    /// The user.
    pub user_id: UserId,
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
