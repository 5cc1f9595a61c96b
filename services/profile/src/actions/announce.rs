//! Announces profiles again, for readers that missed an event.

use super::create::{encadrant_created, student_created};
use crate::{
    domain::Person,
    store::{self, people::NewProfile},
};
use events::{Event, UserId, profile::EncadrantCreated};
use messaging::{Announcement, Cause, EnqueueError, NewEvent, Transaction};
use std::collections::HashMap;
use uuid::Uuid;

/// Announces the profiles of users as they are now. A user without a profile is passed over.
///
/// # Errors
/// See the module.
pub(crate) async fn announce_profiles(
    tx: &mut Transaction,
    announcements: &[Announcement],
) -> Result<(), EnqueueError> {
    let user_ids: Vec<UserId> = announcements
        .iter()
        .map(|announcement| announcement.aggregate_id.into())
        .collect();
    let causes: HashMap<UserId, &Cause> = user_ids
        .iter()
        .zip(announcements)
        .map(|(user_id, announcement)| (*user_id, &announcement.cause))
        .collect();
    let students = store::students::of_users(tx, &user_ids).await?;
    tx.enqueue_all(&events(&causes, students, |id, person| {
        student_created(id.into(), person)
    }))
    .await?;
    let encadrants = store::encadrants::of_users(tx, &user_ids).await?;
    let ids: Vec<Uuid> = encadrants.iter().map(|profile| profile.id).collect();
    let mut specialities = store::encadrants::specialities(tx, &ids).await?;
    let created = events(&causes, encadrants, |id, person| EncadrantCreated {
        specialization: specialities.remove(&id),
        ..encadrant_created(id.into(), person)
    });
    tx.enqueue_all(&created).await
}

fn events<E: Event>(
    causes: &HashMap<UserId, &Cause>,
    profiles: Vec<NewProfile<Uuid>>,
    mut event: impl FnMut(Uuid, Person) -> E,
) -> Vec<NewEvent<E>> {
    let new_event = |profile: NewProfile<Uuid>| NewEvent {
        cause: causes[&profile.person.user_id].clone(),
        version: profile.version,
        event: event(profile.id, profile.person),
    };
    profiles.into_iter().map(new_event).collect()
}
