//! Creates the profiles of new users.

use super::NewUser;
use crate::{
    domain::{Person, UserState},
    store::{self, people::NewProfile},
};
use events::{
    EncadrantId, Event, Role, StudentId, WaitsFor,
    profile::{EncadrantCreated, StudentCreated},
};
use messaging::{Cause, EnqueueError, NewEvent, Transaction};

/// Creates profiles for new users, and announces them. A user whose state is recorded already, such as a deleted one,
/// gets no profile; nor does an administrator.
///
/// # Errors
/// See the module.
pub(crate) async fn create_profiles(
    tx: &mut Transaction,
    users: Vec<NewUser>,
) -> Result<(), EnqueueError> {
    let states: Vec<UserState> = users
        .iter()
        .map(|user| UserState::created(user.person.user_id, user.stamp))
        .collect();
    let recorded = store::users::insert(tx, &states).await?;
    let (mut students, mut encadrants) = (Vec::new(), Vec::new());
    for (user, state) in users.into_iter().zip(states) {
        if !recorded.contains(&state.user_id) {
            // Another event has created the user: the inbox stops a copy of the same one.
            tx.after_commit(&user.cause, move || {
                tracing::info!("User {} is already recorded", state.user_id);
            });
            continue;
        }
        let (cause, person, version) = (user.cause, user.person, state.version);
        match user.role {
            Role::Student => students.push((cause, profile(StudentId::new(), person, version))),
            Role::Encadrant => {
                encadrants.push((cause, profile(EncadrantId::new(), person, version)));
            }
            Role::Admin => {}
        }
    }
    if !students.is_empty() {
        create_students(tx, students).await?;
    }
    if !encadrants.is_empty() {
        create_encadrants(tx, encadrants).await?;
    }
    let keys: Vec<_> = recorded.into_iter().map(WaitsFor::user).collect();
    Ok(tx.release(&keys).await?)
}

fn profile<Id>(id: Id, person: Person, version: i64) -> NewProfile<Id> {
    NewProfile {
        id,
        person,
        version,
    }
}

async fn create_students(
    tx: &mut Transaction,
    new: Vec<(Cause, NewProfile<StudentId>)>,
) -> Result<(), EnqueueError> {
    let (causes, profiles): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    store::students::insert(tx, &profiles).await?;
    announce(tx, "student", causes, profiles, student_created).await
}

async fn create_encadrants(
    tx: &mut Transaction,
    new: Vec<(Cause, NewProfile<EncadrantId>)>,
) -> Result<(), EnqueueError> {
    let (causes, profiles): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    store::encadrants::insert(tx, &profiles).await?;
    announce(tx, "encadrant", causes, profiles, encadrant_created).await
}

/// The event of a student's profile that was created.
pub(super) fn student_created(student_id: StudentId, person: Person) -> StudentCreated {
    StudentCreated {
        student_id,
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
    }
}

/// The event of an encadrant's profile that was created.
pub(super) fn encadrant_created(encadrant_id: EncadrantId, person: Person) -> EncadrantCreated {
    EncadrantCreated {
        encadrant_id,
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        specialization: None,
        email: person.email,
    }
}

async fn announce<Id, E: Event>(
    tx: &mut Transaction,
    kind: &'static str,
    causes: Vec<Cause>,
    profiles: Vec<NewProfile<Id>>,
    event: impl Fn(Id, Person) -> E,
) -> Result<(), EnqueueError> {
    for (cause, new) in causes.iter().zip(&profiles) {
        let user_id = new.person.user_id;
        // Operators search for this line. It is true only after the commit.
        tx.after_commit(cause, move || {
            tracing::info!("✅ Created {kind} profile for user {user_id}");
        });
    }
    let new_events: Vec<_> = causes
        .into_iter()
        .zip(profiles)
        .map(|(cause, new)| NewEvent {
            cause,
            version: new.version,
            event: event(new.id, new.person),
        })
        .collect();
    tx.enqueue_all(&new_events).await
}
