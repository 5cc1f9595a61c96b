//! Changes the profiles of users who changed.

use super::{ActionError, UserChange, new_events, switch::Switch};
use crate::{
    domain::{Decision, Person, PersonChange, UserState},
    store::{
        self,
        people::{Changed, ProfileChange},
    },
};
use events::{
    Role, UserId,
    profile::{EncadrantUpdated, StudentUpdated},
};
use messaging::{Cause, Transaction};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Changes the profiles of users, and announces the changes. What is older than the recorded state is ignored. Returns
/// the users whose creation has not arrived: their changes were not applied.
///
/// # Errors
/// See the module.
pub(crate) async fn update_profiles(
    tx: &mut Transaction,
    changes: Vec<UserChange>,
) -> Result<HashSet<UserId>, ActionError> {
    let user_ids: Vec<UserId> = changes.iter().map(|new| new.change.user_id).collect();
    let mut recorded = store::users::lock(tx, &user_ids).await?;
    if recorded.len() < user_ids.len() && store::users::record_profiles(tx, &user_ids).await? {
        recorded = store::users::lock(tx, &user_ids).await?;
    }
    let (mut applied, mut unknown) = (Vec::new(), HashSet::new());
    for UserChange {
        cause,
        order,
        change,
    } in changes
    {
        let user_id = change.user_id;
        let before = recorded.get(&user_id).copied();
        match UserState::on_updated(before, &order, change)? {
            Decision::Apply(state, change) => applied.push(Applied {
                cause,
                role_before: before.and_then(|before| before.role),
                state,
                change,
            }),
            Decision::Wait => {
                unknown.insert(user_id);
            }
            Decision::Ignore | Decision::Create(_) => {
                tx.ignored(&cause, || {
                    tracing::info!("Event ignored: a newer one about the user has been applied");
                });
            }
        }
    }
    apply(tx, applied).await?;
    Ok(unknown)
}

/// A change that counts.
pub(super) struct Applied {
    pub(super) cause: Cause,
    pub(super) role_before: Option<Role>,
    /// The state of the user after it.
    pub(super) state: UserState,
    pub(super) change: PersonChange,
}

/// Writes changes, and announces those that make a difference to a profile that counts.
pub(super) async fn apply(tx: &mut Transaction, applied: Vec<Applied>) -> Result<(), ActionError> {
    if applied.is_empty() {
        return Ok(());
    }
    let (mut states, mut profile_changes) = (Vec::new(), Vec::new());
    let (mut causes, mut switched) = (HashMap::new(), Vec::new());
    for Applied {
        cause,
        role_before,
        state,
        change,
    } in applied
    {
        if state.role == role_before {
            causes.insert(state.user_id, cause);
        } else {
            switched.push(Switch::new(cause, &state, &change));
        }
        states.push(state);
        profile_changes.push(ProfileChange {
            change,
            version: state.version,
        });
    }
    store::users::put(tx, &states).await?;
    // The profiles that do not count follow silently, so that they are right when they count again.
    let is_announced = |row: &Changed| row.is_active && causes.contains_key(&row.person.user_id);
    let mut students = store::students::update(tx, &profile_changes).await?;
    let mut encadrants = store::encadrants::update(tx, &profile_changes).await?;
    for row in students.iter().chain(&encadrants) {
        for switch in &mut switched {
            switch.note(row);
        }
    }
    students.retain(is_announced);
    encadrants.retain(is_announced);
    announce(tx, &causes, students, encadrants).await?;
    for switch in switched {
        switch.run(tx).await?;
    }
    Ok(())
}

async fn announce(
    tx: &mut Transaction,
    causes: &HashMap<UserId, Cause>,
    students: Vec<Changed>,
    encadrants: Vec<Changed>,
) -> Result<(), ActionError> {
    let updated = |row: Changed| {
        let event = student_updated(row.id, row.person, row.changes);
        (event.user_id, row.version, event)
    };
    tx.enqueue_all(&new_events(causes, students, updated))
        .await?;
    let ids: Vec<Uuid> = encadrants.iter().map(|changed| changed.id).collect();
    let specialities = store::encadrants::specialities(tx, &ids).await?;
    let updated = |row: Changed| {
        let speciality = specialities.get(&row.id).cloned();
        let event = encadrant_updated(row.id, row.person, speciality, row.changes);
        (event.user_id, row.version, event)
    };
    tx.enqueue_all(&new_events(causes, encadrants, updated))
        .await?;
    Ok(())
}

/// The event of a student's profile whose fields `changes` changed.
pub(super) fn student_updated(id: Uuid, person: Person, changes: Vec<String>) -> StudentUpdated {
    StudentUpdated {
        student_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
        locale: person.locale,
        is_active: Some(true),
        changes,
    }
}

/// The event of an encadrant's profile whose fields `changes` changed.
pub(super) fn encadrant_updated(
    id: Uuid,
    person: Person,
    speciality: Option<String>,
    changes: Vec<String>,
) -> EncadrantUpdated {
    EncadrantUpdated {
        encadrant_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        specialization: speciality,
        email: person.email,
        locale: person.locale,
        is_active: Some(true),
        changes,
    }
}
