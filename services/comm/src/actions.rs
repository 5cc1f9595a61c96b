//! State changes, on a borrowed transaction.

use crate::{
    domain::{AboutStudent, NewNotification, Recipient},
    store,
};
use events::StudentId;
use messaging::{Failure, Message, Transaction};
use uuid::Uuid;

/// Takes note of users, and tells those what they have not been told before who were not deleted.
///
/// # Errors
/// When the database refuses.
pub async fn welcome(
    tx: &mut Transaction,
    recipients: &[Recipient],
    mut notifications: Vec<NewNotification>,
) -> Result<(), Failure> {
    let admitted = store::recipients::admit(tx, recipients).await?;
    notifications.retain(|new| admitted.contains(&new.user_id));
    notify(tx, notifications).await?;
    release(tx, recipients).await
}

/// Tells students of something. What names a student that has not arrived waits for it; whoever was deleted is
/// told nothing.
///
/// # Errors
/// When the database refuses.
pub async fn tell_students<E: AboutStudent>(
    tx: &mut Transaction,
    events: &[Message<E>],
) -> Result<(), Failure> {
    let student_ids: Vec<StudentId> = events
        .iter()
        .map(|event| event.payload.student_id())
        .collect();
    let users = store::recipients::of_students(tx, &student_ids).await?;
    let mut notifications = Vec::with_capacity(events.len());
    for event in events {
        let student_id = event.payload.student_id();
        match users.get(&student_id) {
            Some(Some(user_id)) => notifications.push(NewNotification {
                user_id: *user_id,
                source_event: event.meta.event_id,
                notice: event.payload.notice(),
            }),
            Some(None) => {}
            None => tx.wait(&event.meta, student_key(student_id)),
        }
    }
    notify(tx, notifications).await
}

/// Erases all that users were told; what arrives late for them tells nobody.
///
/// # Errors
/// When the database refuses.
pub async fn erase(tx: &mut Transaction, recipients: &[Recipient]) -> Result<(), Failure> {
    store::recipients::erase(tx, recipients).await?;
    let user_ids: Vec<_> = recipients.iter().map(|(user_id, _)| *user_id).collect();
    store::notifications::erase(tx, &user_ids).await?;
    let students = recipients
        .iter()
        .filter_map(|(_, student_id)| student_id.map(StudentId::as_uuid));
    let ids: Vec<Uuid> = user_ids
        .iter()
        .map(|id| id.as_uuid())
        .chain(students)
        .collect();
    tx.erase(&ids).await?;
    release(tx, recipients).await
}

async fn notify(tx: &mut Transaction, notifications: Vec<NewNotification>) -> Result<(), Failure> {
    if notifications.is_empty() {
        return Ok(());
    }
    let notifications: Vec<_> = notifications
        .into_iter()
        .map(|new| (Uuid::now_v7(), new))
        .collect();
    let written = store::notifications::insert(tx, &notifications).await?;
    for (id, new) in notifications {
        let told = written.contains(&id);
        tx.after_commit(move || {
            if told {
                tracing::info!(notification_id = %id, "✅ Created notification for user {}", new.user_id);
            } else {
                tracing::info!("Notification already exists for {}", new.notice.related_object_id);
            }
        });
    }
    Ok(())
}

async fn release(tx: &mut Transaction, recipients: &[Recipient]) -> Result<(), Failure> {
    let arrived: Vec<_> = recipients
        .iter()
        .filter_map(|(_, id)| id.map(student_key))
        .collect();
    if !arrived.is_empty() {
        tx.release(&arrived).await?;
    }
    Ok(())
}

/// What events wait for that name a student before the student has arrived.
fn student_key(student_id: StudentId) -> String {
    format!("student:{student_id}")
}
