//! The door for events: one line for each, and its function.

use crate::{
    actions::{self, Newcomer},
    domain::Person,
};
use events::{Role, auth::UserCreated};
use messaging::{Failure, Handlers, Received, Transaction};

/// What profile-service does about which event.
pub fn handlers() -> Handlers {
    Handlers::new().on(on_user_created)
}

async fn on_user_created(tx: &mut Transaction, events: &[Received<UserCreated>]) -> Result<(), Failure> {
    let of_role = |role| -> Vec<Newcomer> {
        events.iter().filter(|event| event.payload.role == role).map(newcomer).collect()
    };
    // An admin gets no profile.
    let (students, encadrants) = (of_role(Role::Student), of_role(Role::Encadrant));
    if !students.is_empty() {
        actions::create_students(tx, students).await?;
    }
    if !encadrants.is_empty() {
        actions::create_encadrants(tx, encadrants).await?;
    }
    Ok(())
}

fn newcomer(event: &Received<UserCreated>) -> Newcomer {
    let user = &event.payload;
    let person = Person {
        user_id: user.user_id,
        email: user.email.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        phone: user.phone.clone(),
    };
    (event.cause(), person)
}
