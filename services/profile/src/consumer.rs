//! The door for events: one line for each, and its function.

use crate::actions;
use events::auth::{UserCreated, UserDeleted, UserUpdated};
use messaging::{Failure, Handlers, Message, Transaction};

/// What profile-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new()
        .on(on_user_created)
        .on(on_user_updated)
        .on(on_user_deleted)
}

async fn on_user_created(
    tx: &mut Transaction,
    events: &[Message<UserCreated>],
) -> Result<(), Failure> {
    actions::create_profiles(tx, events).await
}

async fn on_user_updated(
    tx: &mut Transaction,
    events: &[Message<UserUpdated>],
) -> Result<(), Failure> {
    actions::update_profiles(tx, events).await
}

async fn on_user_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    actions::erase_profiles(tx, events).await
}
