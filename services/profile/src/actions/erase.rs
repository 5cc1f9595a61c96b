//! Erases the profiles of users who were deleted.

use super::{ActionError, UserDeletion, new_events};
use crate::{
    domain::UserState,
    store::{self, people::Deleted},
};
use events::{
    UserId,
    profile::{EncadrantDeleted, StudentDeleted},
};
use messaging::{Cause, Transaction};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Erases the profiles of deleted users, and announces the deletions. Events about these users that arrive later are
/// ignored.
///
/// # Errors
/// See the module.
pub(crate) async fn erase_profiles(
    tx: &mut Transaction,
    deletions: Vec<UserDeletion>,
) -> Result<(), ActionError> {
    let emails: Vec<String> = deletions
        .iter()
        .map(|deletion| deletion.email.clone())
        .collect();
    let (states, causes) = record(tx, deletions).await?;
    let user_ids: Vec<UserId> = states.iter().map(|state| state.user_id).collect();
    store::expected::take(tx, &user_ids).await?;
    let students = store::students::delete(tx, &user_ids).await?;
    let encadrants = store::encadrants::delete(tx, &user_ids).await?;
    let mut ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    ids.extend(students.iter().chain(&encadrants).map(|deleted| deleted.id));
    outlive(tx, states, students.iter().chain(&encadrants)).await?;
    tx.enqueue_all(&new_events(&causes, students, student_deleted))
        .await?;
    tx.enqueue_all(&new_events(&causes, encadrants, encadrant_deleted))
        .await?;
    Ok(tx.erase(&ids, &emails).await?)
}

/// Records which users are deleted now, and returns them with the causes. Afterwards a creation at the same moment waits
/// for their rows.
async fn record(
    tx: &mut Transaction,
    deletions: Vec<UserDeletion>,
) -> Result<(Vec<UserState>, HashMap<UserId, Cause>), ActionError> {
    let user_ids: Vec<UserId> = deletions.iter().map(|deletion| deletion.user_id).collect();
    let mut recorded = store::users::lock(tx, &user_ids).await?;
    let mut states = Vec::new();
    if recorded.len() < user_ids.len() {
        for deletion in &deletions {
            if !recorded.contains_key(&deletion.user_id) {
                states.extend(UserState::on_deleted(
                    deletion.user_id,
                    None,
                    &deletion.order,
                )?);
            }
        }
        let inserted = store::users::insert(tx, &states).await?;
        states.retain(|state| inserted.contains(&state.user_id));
        // Those that were created meanwhile are among them now.
        recorded = store::users::lock(tx, &user_ids).await?;
    }
    let new: HashSet<UserId> = states.iter().map(|state| state.user_id).collect();
    let (mut changed, mut causes) = (Vec::new(), HashMap::new());
    for UserDeletion {
        cause,
        order,
        user_id,
        ..
    } in deletions
    {
        if !new.contains(&user_id) {
            let before = recorded.get(&user_id).copied();
            let Some(state) = UserState::on_deleted(user_id, before, &order)? else {
                tx.ignored(&cause, || {
                    tracing::info!("Event ignored: the user is already erased");
                });
                continue;
            };
            changed.push(state);
        }
        causes.insert(user_id, cause);
    }
    store::users::put(tx, &changed).await?;
    states.extend(changed);
    Ok((states, causes))
}

/// Records the last versions of deleted profiles whose users may still be created, by a publisher that counts versions:
/// the new profile goes on from there.
async fn outlive(
    tx: &mut Transaction,
    states: Vec<UserState>,
    deleted: impl Iterator<Item = &Deleted>,
) -> Result<(), ActionError> {
    let versions: HashMap<UserId, i64> = deleted
        .map(|deleted| (deleted.user_id, deleted.version + 1))
        .collect();
    let mut outlived = Vec::new();
    for state in states.into_iter().filter(|state| !state.is_owned()) {
        if let Some(version) = versions.get(&state.user_id) {
            outlived.push(UserState {
                version: *version,
                ..state
            });
        }
    }
    Ok(store::users::put(tx, &outlived).await?)
}

fn student_deleted(deleted: Deleted) -> (UserId, i64, StudentDeleted) {
    let event = StudentDeleted {
        student_id: deleted.id.into(),
        user_id: deleted.user_id,
    };
    (event.user_id, deleted.version + 1, event)
}

fn encadrant_deleted(deleted: Deleted) -> (UserId, i64, EncadrantDeleted) {
    let event = EncadrantDeleted {
        encadrant_id: deleted.id.into(),
        user_id: deleted.user_id,
    };
    (event.user_id, deleted.version + 1, event)
}
