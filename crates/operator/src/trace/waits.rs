//! Why an event waits: what it waits for does not exist, was missed, or is the id of something else. The typical mistake of
//! a publisher is the id of a user in the place of the student's.

use super::{Databases, Knows, subject};
use crate::{endpoints::Endpoints, views, words::span};
use chrono::Utc;
use messaging::admin::ParkedState;
use uuid::Uuid;

/// Why an event waits, and what to do about it.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) why: String,
    pub(super) advice: String,
}

/// Explains why a parked event waits at a service, by its short name.
pub(super) async fn explain(
    endpoints: &Endpoints,
    databases: &mut Databases,
    service: &str,
    parked: &ParkedState,
) -> anyhow::Result<Wait> {
    let line = &endpoints.command_line;
    let show = line.operator(&format!("dead show {}", parked.event_id));
    let waited = span(Utc::now() - parked.first_at);
    let key = parked.waits_for.as_deref().unwrap_or_default();
    let Some((kind, Ok(id))) = key.split_once(':').map(|(kind, id)| (kind, id.parse())) else {
        let again = parked.due_at.map(|due| span(due - Utc::now()));
        return Ok(Wait {
            why: format!(
                "for {waited} now; it is tried again by itself in {}",
                again.unwrap_or_default()
            ),
            advice: show,
        });
    };
    let publisher = parked.source.as_deref().filter(|source| !source.is_empty());
    let known = identify(databases, id).await?;
    let (because, is_missed) =
        known.in_place_of(kind, service, publisher.unwrap_or("its publisher"));
    Ok(Wait {
        why: format!("for {waited} now; it names the {kind} {id}: {because}"),
        advice: match is_missed {
            true => line.operator("reconcile --fix"),
            false => show,
        },
    })
}

/// What an id is.
struct Identity {
    /// The user with this id, with the student's id.
    user: Option<Option<Uuid>>,
    /// The user whose profile has this id, with the role.
    profile: Option<(Uuid, String)>,
    /// The short names of the services that know it as what it is.
    services: Vec<&'static str>,
}

async fn identify(databases: &mut Databases, id: Uuid) -> anyhow::Result<Identity> {
    let person = subject::person(databases, id).await?;
    let mut services: Vec<_> = person
        .services
        .iter()
        .filter(|record| record.record == Knows::Known)
        .map(|record| record.service)
        .collect();
    let user = (!services.is_empty()).then_some(person.student_id);
    let mut profile = None;
    for (service, connection) in databases.iter_mut() {
        if let Some(user_id) = views::users_of_profile(connection, id).await?.first() {
            services.push(service.short);
            profile = Some(*user_id);
        }
    }
    let profile = match profile {
        Some(user_id) => {
            let role = subject::person(databases, user_id).await?.role;
            Some((user_id, role.unwrap_or_default()))
        }
        None => None,
    };
    Ok(Identity {
        user,
        profile,
        services,
    })
}

impl Identity {
    /// Says what the id is where a `student` or a `user` is awaited, and whether the service has missed it.
    fn in_place_of(&self, kind: &str, service: &str, publisher: &str) -> (String, bool) {
        let sent_wrong = |is: &str, wanted: &str| {
            let repeat = format!("the people of {publisher} must send the event again with it");
            (format!("{is}, not {wanted}; {repeat}"), false)
        };
        let missed = || (format!("{service}-service has missed it"), true);
        let is_known_here = self.services.contains(&service);
        match (kind, self.user, &self.profile) {
            ("student", Some(Some(student_id)), _) => sent_wrong(
                "this is the id of a user, sent as student_id",
                &format!("of a student; the student_id of this user is {student_id}"),
            ),
            ("student", Some(None), _) => (
                format!(
                    "this is the id of a user who is no student, sent as student_id by {publisher}"
                ),
                false,
            ),
            ("student", _, Some((_, role))) if role == "encadrant" => (
                format!("this is the id of an encadrant, sent as student_id by {publisher}"),
                false,
            ),
            ("user", _, Some((user_id, _))) => sent_wrong(
                "this is the id of a profile, sent as user_id",
                &format!("of a user; the user_id of this profile is {user_id}"),
            ),
            ("student", _, Some(_)) | ("user", Some(_), _) if !is_known_here => missed(),
            ("student", _, Some(_)) | ("user", Some(_), _) => (
                "it has arrived, and the event is tried again by itself".into(),
                false,
            ),
            _ => (format!("no service knows such a {kind}"), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(
        user: Option<Option<Uuid>>,
        role: Option<&str>,
        services: &[&'static str],
    ) -> Identity {
        Identity {
            user,
            profile: role.map(|role| (Uuid::from_u128(7), role.to_owned())),
            services: services.to_vec(),
        }
    }

    #[test]
    fn an_id_of_another_kind_is_recognised() {
        let student = Uuid::from_u128(8);
        for (identity, kind, because) in [
            (
                identity(Some(Some(student)), None, &["auth"]),
                "student",
                "the student_id of this user is 0",
            ),
            (
                identity(Some(None), None, &["auth"]),
                "student",
                "a user who is no student",
            ),
            (
                identity(None, Some("encadrant"), &["profile"]),
                "student",
                "the id of an encadrant",
            ),
            (
                identity(None, Some("student"), &["profile"]),
                "user",
                "the user_id of this profile is 0",
            ),
            (
                identity(None, None, &[]),
                "student",
                "no service knows such a student",
            ),
            (
                identity(None, Some("student"), &["profile", "comm"]),
                "student",
                "it has arrived",
            ),
        ] {
            let (text, is_missed) = identity.in_place_of(kind, "comm", "core-service");
            assert!(text.contains(because) && !is_missed, "{text}");
        }
        for (identity, kind) in [
            (identity(None, Some("student"), &["profile"]), "student"),
            (identity(Some(None), None, &["auth"]), "user"),
        ] {
            let (text, is_missed) = identity.in_place_of(kind, "comm", "core-service");
            assert!(
                is_missed && text.contains("comm-service has missed it"),
                "{text}"
            );
        }
    }
}
