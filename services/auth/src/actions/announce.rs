//! Announces users again, for readers that missed an event.

use super::users::{created, updated};
use crate::store;
use events::{Event, auth::UserDeleted};
use messaging::{Announcement, EnqueueError, NewEvent, Transaction};

/// Announces the present state of users. A reader that has recorded the version ignores the events. A user who does
/// not exist is announced as deleted, without the e-mail.
///
/// # Errors
/// Fails with the error of the database or of the event.
pub(crate) async fn announce(
    tx: &mut Transaction,
    announcements: &[Announcement],
) -> Result<(), EnqueueError> {
    let mut users = store::users::raise_versions(tx, announcements).await?;
    let (mut creations, mut updates, mut deletions) = (Vec::new(), Vec::new(), Vec::new());
    for announcement in announcements {
        let user_id = announcement.aggregate_id.into();
        let Some(user) = users.remove(&user_id) else {
            let email = String::new();
            let version = announcement.at_least.max(1);
            deletions.push(event(announcement, version, UserDeleted { user_id, email }));
            continue;
        };
        creations.push(event(announcement, user.version, created(&user)));
        // A reader that has recorded an older version ignores the creation.
        if user.version > 1 {
            let updated = updated(&user, Vec::new());
            updates.push(event(announcement, user.version, updated));
        }
    }
    tx.enqueue_all(&creations).await?;
    tx.enqueue_all(&updates).await?;
    tx.enqueue_all(&deletions).await
}

fn event<E: Event>(announcement: &Announcement, version: i64, event: E) -> NewEvent<E> {
    NewEvent {
        cause: announcement.cause.clone(),
        version,
        event,
    }
}
