//! State changes, on a borrowed transaction. Where nothing else is said, an action fails with the database's error.

pub(crate) mod purge;

use crate::{
    domain::{Announcement, Change, NewNotification, Notice, Recipient},
    store::{self, inboxes::Position, notifications::Notification},
};
use chrono::{DateTime, Utc};
use events::{EventId, StudentId, UserId, WaitsFor};
use messaging::{Cause, Transaction};
use sqlx::PgConnection;
use std::collections::HashSet;
use uuid::Uuid;

/// A notice and the event that leads to it.
#[derive(Debug)]
pub(crate) struct News {
    /// The event, as the cause of the notification.
    pub cause: Cause,
    /// The id of the event: one event notifies a user once.
    pub source_event: EventId,
    /// When it happened: a user's notifications are listed in this order.
    pub occurred_at: DateTime<Utc>,
    /// The text.
    pub notice: Notice,
}

/// A user who has a new profile.
#[derive(Debug)]
pub(crate) struct Newcomer {
    /// The user.
    pub recipient: Recipient,
    /// The welcome.
    pub welcome: News,
}

/// A notice for a student. The event names the student, not the user.
#[derive(Debug)]
pub(crate) struct StudentNews {
    /// The student.
    pub student_id: StudentId,
    /// The notice.
    pub news: News,
}

/// Locks the inboxes of users and of the users who are these students, until the transaction ends. A transaction that
/// calls several actions calls this first, with all of them: each action locks its own users only.
///
/// # Errors
/// See the module.
pub(crate) async fn lock_inboxes(
    tx: &mut Transaction,
    user_ids: &[UserId],
    student_ids: &[StudentId],
) -> sqlx::Result<()> {
    store::inboxes::lock(tx, user_ids, student_ids)
        .await
        .map(drop)
}

/// Records users, and welcomes those who were not deleted.
///
/// # Errors
/// See the module.
pub(crate) async fn welcome(tx: &mut Transaction, newcomers: Vec<Newcomer>) -> sqlx::Result<()> {
    let recipients: Vec<_> = newcomers.iter().map(|new| new.recipient).collect();
    store::inboxes::lock(tx, &users(&recipients), &[]).await?;
    let active = store::recipients::welcome(tx, &recipients).await?;
    let welcomes = newcomers
        .into_iter()
        .map(|new| (new.recipient.user_id, new.welcome))
        .filter(|(user_id, _)| active.contains(user_id))
        .collect();
    notify(tx, welcomes).await?;
    release(tx, &recipients).await
}

/// Records users without a notification.
///
/// # Errors
/// See the module.
pub(crate) async fn record(tx: &mut Transaction, recipients: &[Recipient]) -> sqlx::Result<()> {
    store::recipients::record(tx, recipients).await?;
    release(tx, recipients).await
}

/// Notifies students, except those who were deleted. Returns the students whose profile has not arrived: they were not
/// notified.
///
/// # Errors
/// See the module.
pub(crate) async fn notify_students(
    tx: &mut Transaction,
    news: Vec<StudentNews>,
) -> sqlx::Result<HashSet<StudentId>> {
    let student_ids: Vec<StudentId> = news.iter().map(|new| new.student_id).collect();
    let locked = store::inboxes::lock(tx, &[], &student_ids).await?;
    let users = store::recipients::of_students(tx, &student_ids).await?;
    // Users who were recorded since.
    let others = users.values().flatten().filter(|id| !locked.contains(id));
    let others: Vec<UserId> = others.copied().collect();
    if !others.is_empty() {
        store::inboxes::lock(tx, &others, &[]).await?;
    }
    let (mut notifications, mut unknown) = (Vec::with_capacity(news.len()), HashSet::new());
    for StudentNews { student_id, news } in news {
        match users.get(&student_id) {
            Some(Some(user_id)) => notifications.push((*user_id, news)),
            Some(None) => {}
            None => {
                unknown.insert(student_id);
            }
        }
    }
    notify(tx, notifications).await?;
    Ok(unknown)
}

/// Why users were not erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    /// The publisher of the deletion may not erase one of these users.
    #[error(
        "its publisher counts no versions, and another one that does has spoken of this user; nothing has changed; \
         a replay erases the user's notifications for good"
    )]
    Foreign,
    /// A statement failed.
    #[error("the users cannot be erased")]
    Database(#[from] sqlx::Error),
}

/// Erases all notifications of users, and the bodies of parked events about them or their addresses. Later events about
/// them have no effect.
///
/// # Errors
/// Also fails when the publisher of a deletion counts no versions, and a publisher with versions describes the user.
pub(crate) async fn erase(
    tx: &mut Transaction,
    recipients: &[Recipient],
    emails: &[String],
) -> Result<(), EraseError> {
    let user_ids = users(recipients);
    store::inboxes::lock(tx, &user_ids, &[]).await?;
    let erased = store::recipients::erase(tx, recipients).await?;
    if recipients
        .iter()
        .any(|user| !erased.contains(&user.user_id))
    {
        return Err(EraseError::Foreign);
    }
    store::changes::erase(tx, &user_ids).await?;
    store::preferences::erase(tx, &user_ids).await?;
    let students = recipients
        .iter()
        .filter_map(|user| user.student_id.map(StudentId::as_uuid));
    let ids: Vec<Uuid> = user_ids
        .iter()
        .map(|id| id.as_uuid())
        .chain(students)
        .collect();
    tx.erase(&ids, emails).await?;
    Ok(release(tx, recipients).await?)
}

/// A notification that a user has changed.
#[derive(Debug)]
pub(crate) struct Changed {
    /// As it is now; `None`: it is deleted.
    pub notification: Option<Notification>,
    /// The position of the inbox after the change.
    pub position: Position,
}

/// Changes a notification of a user. `None`: the user has no such notification.
///
/// # Errors
/// See the module.
pub(crate) async fn change(
    tx: &mut PgConnection,
    user_id: UserId,
    id: Uuid,
    change: Change,
) -> sqlx::Result<Option<Changed>> {
    store::inboxes::lock(tx, &[user_id], &[]).await?;
    if !store::changes::change(tx, user_id, id, change).await? {
        return Ok(None);
    }
    Ok(Some(Changed {
        notification: store::notifications::one(tx, user_id, id).await?,
        position: store::inboxes::position(tx, user_id).await?,
    }))
}

/// Marks what a user has not read as read, up to a position. Returns how many notifications that were, and the position
/// of the inbox after the change.
///
/// # Errors
/// See the module.
pub(crate) async fn read_all(
    tx: &mut PgConnection,
    user_id: UserId,
    until_seq: Option<i64>,
) -> sqlx::Result<(i64, Position)> {
    store::inboxes::lock(tx, &[user_id], &[]).await?;
    let updated = store::changes::read_all(tx, user_id, until_seq).await?;
    Ok((updated, store::inboxes::position(tx, user_id).await?))
}

/// Notifies a user on behalf of an administrator. Returns whether there is such a user.
///
/// # Errors
/// See the module.
pub(crate) async fn announce(
    tx: &mut PgConnection,
    announcement: &Announcement,
) -> sqlx::Result<bool> {
    store::inboxes::lock(tx, &[announcement.user_id], &[]).await?;
    store::changes::announce(tx, announcement).await
}

async fn notify(tx: &mut Transaction, news: Vec<(UserId, News)>) -> sqlx::Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    let (mut causes, mut notifications) = (Vec::new(), Vec::new());
    for (user_id, news) in news {
        causes.push(news.cause);
        notifications.push(NewNotification {
            id: Uuid::now_v7(),
            user_id,
            source_event: news.source_event,
            occurred_at: news.occurred_at,
            notice: news.notice,
        });
    }
    let written = store::changes::insert(tx, &notifications).await?;
    for (cause, new) in causes.iter().zip(notifications) {
        let is_new = written.get(&new.id).copied();
        let (id, user_id, about) = (new.id, new.user_id, new.notice.related_object_id);
        tx.after_commit(cause, move || match is_new {
            Some(true) => {
                tracing::info!(notification_id = %id, "✅ Created notification for user {user_id}");
            }
            Some(false) => tracing::info!("Notification already exists for {about}"),
            None => tracing::info!("User {user_id} has switched this kind of notification off"),
        });
    }
    Ok(())
}

fn users(recipients: &[Recipient]) -> Vec<UserId> {
    recipients.iter().map(|user| user.user_id).collect()
}

async fn release(tx: &mut Transaction, recipients: &[Recipient]) -> sqlx::Result<()> {
    let keys: Vec<_> = recipients
        .iter()
        .filter_map(|user| user.student_id.map(WaitsFor::student))
        .collect();
    if !keys.is_empty() {
        tx.release(&keys).await?;
    }
    Ok(())
}
