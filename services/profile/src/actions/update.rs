//! Changes the profiles of users who changed.

use super::{ActionError, UserChange, new_events};
use crate::{
    domain::{Decision, PersonChange, UserState},
    store::{
        self,
        people::{Changed, ProfileChange},
    },
};
use events::{
    UserId,
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
        match UserState::on_updated(recorded.get(&user_id).copied(), &order, change)? {
            Decision::Apply(state, change) => applied.push(Applied {
                cause,
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
    /// The state of the user after it.
    pub(super) state: UserState,
    pub(super) change: PersonChange,
}

/// Writes changes, and announces those that make a difference.
pub(super) async fn apply(tx: &mut Transaction, applied: Vec<Applied>) -> Result<(), ActionError> {
    if applied.is_empty() {
        return Ok(());
    }
    let (mut states, mut profile_changes) = (Vec::new(), Vec::new());
    let mut causes = HashMap::new();
    for Applied {
        cause,
        state,
        change,
    } in applied
    {
        causes.insert(state.user_id, cause);
        states.push(state);
        profile_changes.push(ProfileChange {
            change,
            version: state.version,
        });
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
    Ok(())
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
