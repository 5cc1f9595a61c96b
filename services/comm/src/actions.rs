//! State changes, on a borrowed transaction.

use crate::{domain::NewNotification, store};
use messaging::{Failure, Transaction};
use uuid::Uuid;

/// Tells users what they have not been told before.
///
/// # Errors
/// When the database refuses.
pub async fn notify(tx: &mut Transaction, notifications: Vec<NewNotification>) -> Result<(), Failure> {
    let notifications: Vec<_> = notifications.into_iter().map(|new| (Uuid::now_v7(), new)).collect();
    let written = store::notifications::insert(tx, &notifications).await?;
    for (id, new) in notifications {
        let told = written.contains(&id);
        tx.after_commit(move || {
            if told {
                tracing::info!(notification_id = %id, "✅ Created notification for user {}", new.user_id);
            } else {
                tracing::info!("Notification already exists for {}", new.related_object_id);
            }
        });
    }
    Ok(())
}
