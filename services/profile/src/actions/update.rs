//! Changes the profiles of users who changed.

use super::{UserChange, new_events};
use crate::{
    domain::{Decision, UserState},
    store::{
        self,
        people::{Changed, ProfileChange},
    },
};
use events::{
    UserId,
    profile::{EncadrantUpdated, StudentUpdated},
};
use messaging::{EnqueueError, Transaction};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Changes the profiles of users, and announces the changes. A change that is not newer than the recorded state is
/// ignored. Returns the users whose creation has not arrived: their changes were not applied.
///
/// # Errors
/// See the module.
pub(crate) async fn update_profiles(
    tx: &mut Transaction,
    changes: Vec<UserChange>,
) -> Result<HashSet<UserId>, EnqueueError> {
    let user_ids: Vec<UserId> = changes.iter().map(|new| new.change.user_id).collect();
    let recorded = store::users::lock(tx, &user_ids).await?;
    let (mut states, mut profile_changes) = (Vec::new(), Vec::new());
    let (mut causes, mut unknown) = (HashMap::new(), HashSet::new());
    for UserChange {
        cause,
        stamp,
        change,
    } in changes
    {
        let user_id = change.user_id;
        match UserState::on_updated(recorded.get(&user_id).copied(), stamp) {
            Decision::Ignore => {}
            Decision::Wait => {
                unknown.insert(user_id);
            }
            Decision::Apply(state) => {
                states.push(state);
                profile_changes.push(ProfileChange {
                    change,
                    version: state.version,
                });
                causes.insert(user_id, cause);
            }
        }
    }
    if states.is_empty() {
        return Ok(unknown);
    }
    store::users::put(tx, &states).await?;
    let students = store::students::update(tx, &profile_changes).await?;
    tx.enqueue_all(&new_events(&causes, students, student_updated))
        .await?;
    let encadrants = store::encadrants::update(tx, &profile_changes).await?;
    let ids: Vec<Uuid> = encadrants.iter().map(|changed| changed.id).collect();
    let specialities = store::encadrants::specialities(tx, &ids).await?;
    let updated = |changed| encadrant_updated(changed, &specialities);
    tx.enqueue_all(&new_events(&causes, encadrants, updated))
        .await?;
    Ok(unknown)
}

fn student_updated(changed: Changed) -> (UserId, i64, StudentUpdated) {
    let Changed {
        id,
        version,
        person,
        changes,
    } = changed;
    let event = StudentUpdated {
        student_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
        changes,
    };
    (event.user_id, version, event)
}

fn encadrant_updated(
    changed: Changed,
    specialities: &HashMap<Uuid, String>,
) -> (UserId, i64, EncadrantUpdated) {
    let Changed {
        id,
        version,
        person,
        changes,
    } = changed;
    let event = EncadrantUpdated {
        encadrant_id: id.into(),
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        specialization: specialities.get(&id).cloned(),
        email: person.email,
        changes,
    };
    (event.user_id, version, event)
}
