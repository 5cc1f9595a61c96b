//! The door for events: one function for each, which turns payloads into values and calls an action.

use crate::{
    actions::{self, EraseError, Newcomer, News, StudentNews},
    domain::{self, AboutStudent, Notice, Recipient, Standing},
};
use chrono::Utc;
use events::{
    Envelope, Event, StudentId, UserId, WaitsFor,
    auth::UserDeleted,
    internships::{
        EvaluationCreated, EvaluationUpdated, GradeAssigned, StageAccepted, StageCancelled,
        StageCompleted, StageCreated, StageRejected, StageStarted,
    },
    profile::{
        EncadrantCreated, EncadrantDeleted, EncadrantUpdated, StudentCreated, StudentDeleted,
        StudentUpdated,
    },
};
use messaging::{Consume, Failure, Handlers, Message, Outcome, Transaction};
use serde::Deserialize;
use std::pin::Pin;

/// Returns the queue of the service, with the handlers of its events.
pub(crate) fn consume() -> Consume {
    Consume {
        service: &events::topology::COMM,
        handlers: handlers(),
        announce: None,
        migrators: &crate::MIGRATORS,
    }
}

/// The handlers of comm-service.
fn handlers() -> Handlers {
    Handlers::new()
        .before(lock_inboxes)
        .on(on_student_created)
        .on(on_student_updated)
        .on(on_student_deleted)
        .on(on_encadrant_created)
        .on(on_encadrant_updated)
        .on(on_encadrant_deleted)
        .on(on_user_deleted)
        .on(messaging::on_session_revoked)
        .on(on_news::<StageCreated>)
        .on(on_news::<StageAccepted>)
        .on(on_news::<StageRejected>)
        .on(on_news::<StageStarted>)
        .on(on_news::<StageCompleted>)
        .on(on_news::<StageCancelled>)
        .on(on_news::<EvaluationCreated>)
        .on(on_news::<EvaluationUpdated>)
        .on(on_news::<GradeAssigned>)
}

/// The users whom an event names.
#[derive(Deserialize)]
struct Named {
    user_id: Option<UserId>,
    student_id: Option<StudentId>,
}

/// Locks the inboxes of all users of a batch. What an event names in another form is locked by its handler.
fn lock_inboxes<'a>(
    tx: &'a mut Transaction,
    events: &'a [&'a Envelope<'a>],
) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>> {
    let named = events.iter().filter_map(|event| event.fields::<Named>());
    let (user_ids, student_ids): (Vec<_>, Vec<_>) =
        named.map(|named| (named.user_id, named.student_id)).unzip();
    let user_ids: Vec<UserId> = user_ids.into_iter().flatten().collect();
    let student_ids: Vec<StudentId> = student_ids.into_iter().flatten().collect();
    Box::pin(async move { Ok(actions::lock_inboxes(tx, &user_ids, &student_ids).await?) })
}

async fn on_student_created(
    tx: &mut Transaction,
    events: &[Message<StudentCreated>],
) -> Result<(), Failure> {
    let newcomer = |event: &Message<StudentCreated>| Newcomer {
        recipient: Recipient::student(
            event.payload.user_id,
            event.payload.student_id,
            standing(event),
        )
        .with_locale(event.payload.locale.as_deref()),
        welcome: news(event, domain::student_welcome(&event.payload)),
    };
    Ok(actions::welcome(tx, events.iter().map(newcomer).collect()).await?)
}

/// Notifies no user, but takes the language, and releases the events that wait for the student.
async fn on_student_updated(
    tx: &mut Transaction,
    events: &[Message<StudentUpdated>],
) -> Result<(), Failure> {
    let students = recipients(events, |event| {
        let student = &event.payload;
        Recipient::student(student.user_id, student.student_id, standing(event))
            .with_locale(student.locale.as_deref())
    });
    Ok(actions::record(tx, &students).await?)
}

async fn on_student_deleted(
    tx: &mut Transaction,
    events: &[Message<StudentDeleted>],
) -> Result<(), Failure> {
    let students = recipients(events, |event| {
        let student = &event.payload;
        Recipient::student(student.user_id, student.student_id, deletion(event))
    });
    Ok(actions::erase(tx, &students, &[]).await?)
}

async fn on_encadrant_created(
    tx: &mut Transaction,
    events: &[Message<EncadrantCreated>],
) -> Result<(), Failure> {
    let newcomer = |event: &Message<EncadrantCreated>| Newcomer {
        recipient: Recipient::user(event.payload.user_id, standing(event))
            .with_locale(event.payload.locale.as_deref()),
        welcome: news(event, domain::encadrant_welcome(&event.payload)),
    };
    Ok(actions::welcome(tx, events.iter().map(newcomer).collect()).await?)
}

/// Notifies no user, but takes the language.
async fn on_encadrant_updated(
    tx: &mut Transaction,
    events: &[Message<EncadrantUpdated>],
) -> Result<(), Failure> {
    let encadrants = recipients(events, |event| {
        Recipient::user(event.payload.user_id, standing(event))
            .with_locale(event.payload.locale.as_deref())
    });
    Ok(actions::record(tx, &encadrants).await?)
}

async fn on_encadrant_deleted(
    tx: &mut Transaction,
    events: &[Message<EncadrantDeleted>],
) -> Result<(), Failure> {
    let encadrants = recipients(events, |event| {
        Recipient::user(event.payload.user_id, deletion(event))
    });
    Ok(actions::erase(tx, &encadrants, &[]).await?)
}

/// Erases users who have no profile, and other users a moment before the deletion of their profile arrives.
async fn on_user_deleted(
    tx: &mut Transaction,
    events: &[Message<UserDeleted>],
) -> Result<(), Failure> {
    let users = recipients(events, |event| {
        let standing = match deletion(event) {
            Standing::Unversioned => Standing::Unversioned,
            // The version is that of the user, not of the profile; and the user does not come back.
            Standing::Version(_) | Standing::Last => Standing::Last,
        };
        Recipient::user(event.payload.user_id, standing)
    });
    let emails: Vec<String> = events
        .iter()
        .map(|event| event.payload.email.clone())
        .collect();
    actions::erase(tx, &users, &emails).await?;
    Ok(messaging::revoke_deleted(tx, events).await?)
}

/// Notifies the students that the events name. An event that names an unknown student waits for the student.
async fn on_news<E: AboutStudent>(
    tx: &mut Transaction,
    events: &[Message<E>],
) -> Result<Outcome, Failure> {
    let student_news = |event: &Message<E>| StudentNews {
        student_id: event.payload.student_id(),
        news: news(event, event.payload.notice()),
    };
    let unknown = actions::notify_students(tx, events.iter().map(student_news).collect()).await?;
    let waiting = events
        .iter()
        .map(|event| (event.meta.event_id, event.payload.student_id()))
        .filter(|(_, student_id)| unknown.contains(student_id))
        .map(|(event_id, student_id)| (event_id, WaitsFor::student(student_id)));
    Ok(waiting.collect())
}

fn recipients<E: Event>(
    events: &[Message<E>],
    recipient: impl Fn(&Message<E>) -> Recipient,
) -> Vec<Recipient> {
    events.iter().map(recipient).collect()
}

fn standing<E: Event>(event: &Message<E>) -> Standing {
    event
        .meta
        .aggregate_version
        .map_or(Standing::Unversioned, Standing::Version)
}

/// A deletion that an operator had replayed counts for every publisher.
fn deletion<E: Event>(event: &Message<E>) -> Standing {
    if event.confirmed {
        Standing::Last
    } else {
        standing(event)
    }
}

impl From<EraseError> for Failure {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Foreign => Failure::Refused {
                kind: "foreign_deletion",
                reason: error.to_string(),
            },
            EraseError::Database(error) => error.into(),
        }
    }
}

fn news<E: Event>(event: &Message<E>, notice: Notice) -> News {
    News {
        cause: event.cause(),
        source_event: event.meta.event_id,
        occurred_at: event.meta.occurred_at(Utc::now()),
        notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::COMM;

    #[test]
    fn every_event_that_the_queue_receives_has_a_handler_or_is_ignored() {
        assert_eq!(handlers().differences(&COMM.queue), Vec::<String>::new());
    }
}
