//! Erases the profiles of users who were deleted.

use super::{UserDeletion, new_events};
use crate::{
    domain::{Decision, UserState},
    store::{self, people::Deleted},
};
use events::{
    UserId,
    profile::{EncadrantDeleted, StudentDeleted},
};
use messaging::{EnqueueError, Transaction};
use std::collections::HashMap;
use uuid::Uuid;

/// Erases the profiles of deleted users, and announces the deletions. Events about these users that arrive later are
/// ignored.
///
/// # Errors
/// See the module.
pub(crate) async fn erase_profiles(
    tx: &mut Transaction,
    deletions: Vec<UserDeletion>,
) -> Result<(), EnqueueError> {
    let user_ids: Vec<UserId> = deletions.iter().map(|deletion| deletion.user_id).collect();
    let recorded = store::users::lock(tx, &user_ids).await?;
    let (mut states, mut causes) = (Vec::new(), HashMap::new());
    for UserDeletion {
        cause,
        stamp,
        user_id,
    } in deletions
    {
        let recorded = recorded.get(&user_id).copied();
        if let Decision::Apply(state) = UserState::on_deleted(user_id, recorded, stamp) {
            states.push(state);
            causes.insert(user_id, cause);
        }
    }
    store::users::put(tx, &states).await?;
    let user_ids: Vec<UserId> = states.into_iter().map(|state| state.user_id).collect();
    let students = store::students::delete(tx, &user_ids).await?;
    let mut ids: Vec<Uuid> = user_ids.iter().map(|id| id.as_uuid()).collect();
    ids.extend(students.iter().map(|deleted| deleted.id));
    tx.enqueue_all(&new_events(&causes, students, student_deleted))
        .await?;
    let encadrants = store::encadrants::delete(tx, &user_ids).await?;
    ids.extend(encadrants.iter().map(|deleted| deleted.id));
    tx.enqueue_all(&new_events(&causes, encadrants, encadrant_deleted))
        .await?;
    Ok(tx.erase(&ids).await?)
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
