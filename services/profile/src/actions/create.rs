//! Creates the profiles of new users.

use super::{
    ActionError, NewUser,
    update::{Applied, apply},
};
use crate::{
    domain::{Decision, EncadrantFields, Person, UserState, profile_id},
    store::{self, people::NewProfile},
};
use events::{
    EncadrantId, Event, Role, StudentId, UserId, WaitsFor,
    profile::{EncadrantCreated, StudentCreated},
};
use messaging::{Cause, EnqueueError, NewEvent, Transaction};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::HashMap;

/// Creates profiles for new users, and announces them. A deleted user gets no profile; nor does an administrator. The
/// creation of a user who has one sets the fields that no newer event has set.
///
/// # Errors
/// See the module.
pub(crate) async fn create_profiles(
    tx: &mut Transaction,
    users: Vec<NewUser>,
) -> Result<(), ActionError> {
    for user in &users {
        user.order.check()?;
    }
    let states: Vec<UserState> = users
        .iter()
        .map(|user| UserState::created(user.person.user_id, user.role, &user.order))
        .collect();
    let new = store::users::insert(tx, &states).await?;
    let (mut created, mut recorded) = (Vec::new(), Vec::new());
    for (user, state) in users.into_iter().zip(states) {
        if new.contains(&state.user_id) {
            created.push((user, state));
        } else {
            recorded.push(user);
        }
    }
    if !recorded.is_empty() {
        created.extend(create_again(tx, recorded).await?);
    }
    let keys: Vec<_> = created
        .iter()
        .map(|(_, state)| WaitsFor::user(state.user_id))
        .collect();
    let user_ids: Vec<UserId> = created.iter().map(|(_, state)| state.user_id).collect();
    let expected = store::expected::take(tx, &user_ids).await?;
    let (mut students, mut encadrants) = (Vec::new(), Vec::new());
    for (user, state) in created {
        let id = profile_id(state.user_id, user.role);
        match user.role {
            Role::Student => students.push(profile(StudentId::from(id), user, state)),
            Role::Encadrant => encadrants.push(profile(EncadrantId::from(id), user, state)),
            Role::Admin => {}
        }
    }
    if !students.is_empty() {
        create_students(tx, students, &expected).await?;
    }
    if !encadrants.is_empty() {
        create_encadrants(tx, encadrants, &expected).await?;
    }
    Ok(tx.release(&keys).await?)
}

/// Takes what the creations of recorded users still say, and returns those that make a profile all the same.
async fn create_again(
    tx: &mut Transaction,
    users: Vec<NewUser>,
) -> Result<Vec<(NewUser, UserState)>, ActionError> {
    let user_ids: Vec<UserId> = users.iter().map(|user| user.person.user_id).collect();
    let recorded = store::users::lock(tx, &user_ids).await?;
    let (mut created, mut applied) = (Vec::new(), Vec::new());
    for user in users {
        let user_id = user.person.user_id;
        let state = recorded[&user_id];
        match state.on_created(&user.order, &user.person, user.role) {
            Decision::Create(state) => created.push((user, state)),
            Decision::Apply(after, change) => applied.push(Applied {
                cause: user.cause,
                role_before: state.role,
                state: after,
                change,
            }),
            Decision::Ignore | Decision::Wait => {
                tx.ignored(&user.cause, move || {
                    tracing::info!("User {user_id} is already recorded");
                });
            }
        }
    }
    let states: Vec<UserState> = created.iter().map(|(_, state)| *state).collect();
    store::users::put(tx, &states).await?;
    apply(tx, applied).await?;
    Ok(created)
}

fn profile<Id>(id: Id, user: NewUser, state: UserState) -> (Cause, NewProfile<Id>) {
    let profile = NewProfile {
        id,
        person: user.person,
        version: state.version,
    };
    (user.cause, profile)
}

async fn create_students(
    tx: &mut Transaction,
    new: Vec<(Cause, NewProfile<StudentId>)>,
    expected: &Expected,
) -> Result<(), EnqueueError> {
    let (causes, profiles): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    store::students::insert(tx, &profiles).await?;
    for new in &profiles {
        if let Some(fields) = own_fields(expected, new.person.user_id, Role::Student) {
            let left_out = store::students::fill(tx, new.id.as_uuid(), &fields).await?;
            warn_of_left_out(new.person.user_id, &left_out);
        }
    }
    announce(tx, "student", causes, profiles, student_created).await
}

async fn create_encadrants(
    tx: &mut Transaction,
    new: Vec<(Cause, NewProfile<EncadrantId>)>,
    expected: &Expected,
) -> Result<(), EnqueueError> {
    let (causes, profiles): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    store::encadrants::insert(tx, &profiles).await?;
    let mut specialities = HashMap::new();
    for new in &profiles {
        let fields = own_fields::<EncadrantFields>(expected, new.person.user_id, Role::Encadrant);
        if let Some(fields) = fields {
            let left_out = store::encadrants::fill(tx, new.id.as_uuid(), &fields).await?;
            warn_of_left_out(new.person.user_id, &left_out);
            specialities.insert(new.id, fields.speciality);
        }
    }
    let created = |id: EncadrantId, person| EncadrantCreated {
        specialization: specialities.get(&id).cloned().flatten(),
        ..encadrant_created(id, person)
    };
    announce(tx, "encadrant", causes, profiles, created).await
}

/// The roles and the own fields that requests have asked for.
type Expected = HashMap<UserId, (String, Value)>;

/// The own fields of a user who was created with the role that was asked for.
fn own_fields<Fields: DeserializeOwned + Default>(
    expected: &Expected,
    user_id: UserId,
    role: Role,
) -> Option<Fields> {
    let (_, fields) = expected
        .get(&user_id)
        .filter(|(asked, _)| asked == role.as_str())?;
    Some(Fields::deserialize(fields).unwrap_or_default())
}

/// The numbers of users who are being created are kept for them ([`store::numbers`]), so a number is left out only after
/// a change of the database by hand; an establishment or a service may be deleted before the profile is made.
fn warn_of_left_out(user_id: UserId, fields: &[String]) {
    if !fields.is_empty() {
        tracing::warn!(%user_id, ?fields, "A profile is made without values that another profile has, or that refer to nothing");
    }
}

/// The event of a student's profile that was created.
pub(super) fn student_created(student_id: StudentId, person: Person) -> StudentCreated {
    StudentCreated {
        student_id,
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
        locale: person.locale,
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
        locale: person.locale,
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
        log_creation(tx, cause, kind, new.person.user_id);
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

/// Operators search for this line. It is true only after the commit.
pub(super) fn log_creation(
    tx: &mut Transaction,
    cause: &Cause,
    kind: &'static str,
    user_id: UserId,
) {
    tx.after_commit(cause, move || {
        tracing::info!("✅ Created {kind} profile for user {user_id}");
    });
}
