//! What an id, an address or a name is.

use super::{Choice, Databases, Knows, Person, Record, SubjectKind};
use crate::{
    endpoints::{Endpoints, PATIENCE},
    views,
};
use anyhow::bail;
use events::{EventId, catalogue::EVENTS};
use std::collections::BTreeSet;
use tokio::time::timeout;
use uuid::Uuid;

/// How many persons are offered to choose from.
pub(super) const CHOICES: usize = 20;
/// A part of a name or of an address that is shorter names too many.
const SHORTEST: usize = 2;

/// What a subject names.
pub(super) enum Meaning {
    Person {
        kind: SubjectKind,
        user_id: Uuid,
    },
    /// An id that is no person's.
    Id(Uuid),
    Several(Vec<Uuid>),
    Nothing,
}

/// Finds out what a subject names. An id and a whole address are looked up; a part of a name or of an address is
/// compared with those of all users, for some seconds at most.
pub(super) async fn resolve(
    endpoints: &Endpoints,
    databases: &mut Databases,
    subject: &str,
) -> anyhow::Result<Meaning> {
    if let Ok(id) = subject.parse() {
        return of_id(databases, id).await;
    }
    let mut users = BTreeSet::new();
    for (_, connection) in databases.iter_mut() {
        users.extend(views::users_of_email(connection, subject).await?);
    }
    let mut kind = SubjectKind::Email;
    if users.is_empty() && subject.chars().count() >= SHORTEST {
        kind = SubjectKind::Name;
        let Ok(like) = timeout(PATIENCE, users_like(databases, subject)).await else {
            bail!(
                "the search for a part of a name takes too long; try: {} with a whole address, or with an id",
                endpoints.command_line.operator("trace")
            );
        };
        users = like?;
    }
    let users: Vec<Uuid> = users.into_iter().collect();
    Ok(match users[..] {
        [] => Meaning::Nothing,
        [user_id] => Meaning::Person { kind, user_id },
        _ => Meaning::Several(users),
    })
}

async fn users_like(databases: &mut Databases, subject: &str) -> sqlx::Result<BTreeSet<Uuid>> {
    let words: Vec<&str> = subject.split_whitespace().collect();
    let mut users = BTreeSet::new();
    for (_, connection) in databases {
        users.extend(views::users_like(connection, &words, CHOICES as i64 + 1).await?);
    }
    Ok(users)
}

async fn of_id(databases: &mut Databases, id: Uuid) -> anyhow::Result<Meaning> {
    for (_, connection) in databases.iter_mut() {
        if views::user(connection, id).await?.is_some() {
            let kind = SubjectKind::UserId;
            return Ok(Meaning::Person { kind, user_id: id });
        }
    }
    for (_, connection) in databases.iter_mut() {
        let users = views::users_of_profile(connection, id).await?;
        if let Some(user_id) = users.first().copied() {
            let subjects = views::subjects(connection, user_id).await?;
            let of_id = |subject: &&views::Subject| subject.id == Some(id);
            let kind = subjects.iter().find(of_id).map(|subject| &*subject.kind);
            let kind = match kind {
                Some("encadrant_id") => SubjectKind::EncadrantId,
                _ => SubjectKind::StudentId,
            };
            return Ok(Meaning::Person { kind, user_id });
        }
    }
    Ok(Meaning::Id(id))
}

/// The ids under which an event may be stored: the consumers derive the id of a foreign publisher's event from its own
/// id and its key.
pub(super) fn event_ids(id: Uuid) -> Vec<Uuid> {
    let derived = EVENTS
        .iter()
        .map(|entry| EventId::from(id).under(entry.key));
    std::iter::once(id)
        .chain(derived.map(EventId::as_uuid))
        .collect()
}

/// Returns what all services have recorded about a person.
pub(super) async fn person(databases: &mut Databases, user_id: Uuid) -> anyhow::Result<Person> {
    let mut person = Person {
        user_id,
        role: None,
        student_id: None,
        encadrant_id: None,
        services: Vec::new(),
        emails: Vec::new(),
    };
    for (service, connection) in databases {
        let record = match views::user(connection, user_id).await? {
            Some(user) if user.erased => Knows::Erased,
            Some(_) => Knows::Known,
            None => Knows::Unknown,
        };
        person.services.push(Record {
            service: service.short,
            record,
        });
        for subject in views::subjects(connection, user_id).await? {
            match &*subject.kind {
                "email" if !person.emails.contains(&subject.value) => {
                    person.emails.push(subject.value);
                }
                "role" => person.role = Some(subject.value),
                "student_id" => person.student_id = subject.id,
                "encadrant_id" => person.encadrant_id = subject.id,
                _ => {}
            }
        }
    }
    // The role stands at auth-service; a profile tells it, too.
    let role = || match (person.student_id, person.encadrant_id) {
        (Some(_), None) => Some("student".to_owned()),
        (None, Some(_)) => Some("encadrant".to_owned()),
        _ => None,
    };
    person.role = person.role.take().or_else(role);
    Ok(person)
}

/// Returns how a person is named, to choose from several.
pub(super) async fn choice(databases: &mut Databases, user_id: Uuid) -> anyhow::Result<Choice> {
    let mut choice = Choice {
        user_id,
        email: None,
        name: None,
    };
    for (_, connection) in databases {
        for subject in views::subjects(connection, user_id).await? {
            let field = match &*subject.kind {
                "email" => &mut choice.email,
                "name" => &mut choice.name,
                _ => continue,
            };
            field.get_or_insert(subject.value);
        }
    }
    Ok(choice)
}
