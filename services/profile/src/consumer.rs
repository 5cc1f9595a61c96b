//! The door for events: one function for each, which turns payloads into values and calls an action.

use crate::{
    actions::{self, ActionError, NewUser, UserChange, UserDeletion},
    domain::{Order, Person, PersonChange},
};
use events::{
    Event, Role, WaitsFor,
    auth::{UserCreated, UserDeleted, UserRoleChanged, UserUpdated},
};
use messaging::{Consume, Failure, Handlers, Message, Outcome, Transaction};

/// Returns the queue of the service, with the handlers of its events.
pub(crate) fn consume() -> Consume {
    Consume {
        service: &events::topology::PROFILE,
        handlers: handlers(),
        announce: Some(|tx, users| Box::pin(actions::announce_profiles(tx, users))),
        migrators: &crate::MIGRATORS,
    }
}

/// The handlers of profile-service.
fn handlers() -> Handlers {
    Handlers::new()
        .on(on_user_created)
        .on(on_user_updated)
        .on(on_user_role_changed)
        .on(on_user_deleted)
        .on(messaging::on_session_revoked)
}

async fn on_user_created(
    tx: &mut Transaction,
    events: &[Message<UserCreated>],
) -> Result<(), Failure> {
    let new_user = |event: &Message<UserCreated>| {
        let user = &event.payload;
        NewUser {
            cause: event.cause(),
            order: Order::of_creation(&event.meta, event.confirmed),
            role: user.role,
            person: Person {
                user_id: user.user_id,
                email: user.email.clone(),
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
                phone: user.phone.clone(),
                locale: user.locale.clone(),
            },
        }
    };
    Ok(actions::create_profiles(tx, events.iter().map(new_user).collect()).await?)
}

async fn on_user_updated(
    tx: &mut Transaction,
    events: &[Message<UserUpdated>],
) -> Result<Outcome, Failure> {
    update(tx, events, |user| (user, user.role)).await
}

async fn on_user_role_changed(
    tx: &mut Transaction,
    events: &[Message<UserRoleChanged>],
) -> Result<Outcome, Failure> {
    update(tx, events, |changed| {
        (&changed.user, Some(changed.new_role))
    })
    .await
}

/// Only a publisher that counts versions changes roles: it says the whole user, of whom another profile can be made.
async fn update<E: Event>(
    tx: &mut Transaction,
    events: &[Message<E>],
    user: impl Fn(&E) -> (&UserUpdated, Option<Role>),
) -> Result<Outcome, Failure> {
    let change = |event: &Message<E>| {
        let (user, role) = user(&event.payload);
        UserChange {
            cause: event.cause(),
            order: Order::of_change(&event.meta, event.confirmed),
            change: PersonChange {
                user_id: user.user_id,
                email: Some(user.email.clone()),
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
                phone: user.phone.clone(),
                locale: user.locale.clone(),
                role: role.filter(|_| event.meta.aggregate_version.is_some()),
            },
        }
    };
    let unknown = actions::update_profiles(tx, events.iter().map(change).collect()).await?;
    let waiting = events
        .iter()
        .map(|event| (event.meta.event_id, user(&event.payload).0.user_id))
        .filter(|(_, user_id)| unknown.contains(user_id))
        .map(|(event_id, user_id)| (event_id, WaitsFor::user(user_id)));
    Ok(waiting.collect())
}

async fn on_user_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    let deletion = |event: &Message<UserDeleted>| UserDeletion {
        cause: event.cause(),
        order: Order::of_change(&event.meta, event.confirmed),
        user_id: event.payload.user_id,
        email: event.payload.email.clone(),
    };
    actions::erase_profiles(tx, events.iter().map(deletion).collect()).await?;
    Ok(messaging::revoke_deleted(tx, events).await?)
}

impl From<ActionError> for Failure {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Refused(refusal) => refusal.into(),
            ActionError::Database(error) => error.into(),
            ActionError::Enqueue(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::PROFILE;

    #[test]
    fn every_event_that_the_queue_receives_has_a_handler() {
        assert_eq!(handlers().differences(&PROFILE.queue), Vec::<String>::new());
    }
}
