//! State changes: rows and their events, on a borrowed transaction.

use crate::{domain::Person, store};
use events::{
    EncadrantId, Event, StudentId, UserId,
    profile::{EncadrantCreated, StudentCreated},
};
use messaging::{Cause, Draft, Failure, Transaction};
use std::{collections::HashSet, hash::Hash};

/// A person who is to get a profile, and why.
pub type Newcomer = (Cause, Person);

/// Makes student profiles and announces them; whoever has one already keeps it, unannounced.
///
/// # Errors
/// When the database refuses.
pub async fn create_students(tx: &mut Transaction, newcomers: Vec<Newcomer>) -> Result<(), Failure> {
    let (causes, profiles) = with_ids(newcomers, StudentId::new);
    let made = store::students::insert(tx, &profiles).await?;
    report(
        tx,
        "student",
        profiles.iter().filter(|(id, _)| made.contains(id)).map(|(_, person)| person.user_id),
    );
    announce(tx, causes, profiles, &made, |student_id, person| StudentCreated {
        student_id,
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        email: person.email,
    })
    .await
}

/// Makes encadrant profiles and announces them; whoever has one already keeps it, unannounced.
///
/// # Errors
/// When the database refuses.
pub async fn create_encadrants(tx: &mut Transaction, newcomers: Vec<Newcomer>) -> Result<(), Failure> {
    let (causes, profiles) = with_ids(newcomers, EncadrantId::new);
    let made = store::encadrants::insert(tx, &profiles).await?;
    report(
        tx,
        "encadrant",
        profiles.iter().filter(|(id, _)| made.contains(id)).map(|(_, person)| person.user_id),
    );
    announce(tx, causes, profiles, &made, |encadrant_id, person| EncadrantCreated {
        encadrant_id,
        user_id: person.user_id,
        first_name: person.first_name,
        last_name: person.last_name,
        specialization: None,
        email: person.email,
    })
    .await
}

fn with_ids<Id>(newcomers: Vec<Newcomer>, id: impl Fn() -> Id) -> (Vec<Cause>, Vec<(Id, Person)>) {
    newcomers.into_iter().map(|(cause, person)| (cause, (id(), person))).unzip()
}

async fn announce<Id: Copy + Eq + Hash, E: Event>(
    tx: &mut Transaction,
    causes: Vec<Cause>,
    profiles: Vec<(Id, Person)>,
    made: &HashSet<Id>,
    event: impl Fn(Id, Person) -> E,
) -> Result<(), Failure> {
    let drafts: Vec<_> = causes
        .into_iter()
        .zip(profiles)
        .filter(|(_, (id, _))| made.contains(id))
        .map(|(cause, (id, person))| Draft { cause, version: 1, event: event(id, person) })
        .collect();
    tx.enqueue_all(&drafts).await?;
    Ok(())
}

/// The lines that operators grep for; they come only once it is true.
fn report(tx: &mut Transaction, kind: &'static str, users: impl Iterator<Item = UserId>) {
    for user_id in users {
        tx.after_commit(move || tracing::info!("✅ Created {kind} profile for user {user_id}"));
    }
}
