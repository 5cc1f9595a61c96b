//! Where events are, and what a person was told: the outboxes, the inboxes, the parked events, the queues and the
//! notifications of all services, joined by event and by person, whoever published.
//!
//! - [`subject`]: finds out what an id, an address or a name is
//! - [`near`]: addresses that differ from what was asked in a few letters
//! - [`collect`]: gathers the events from all databases
//! - [`fate`]: says what became of an event at each service, and what to do about it
//! - [`order`]: puts a cause before its effects
//! - [`unreceived`]: says where an event is that a service has not received
//! - [`waits`]: says for what an event waits, and recognises an id of another kind

mod collect;
mod fate;
mod near;
mod order;
mod subject;
mod unreceived;
mod waits;

use crate::{
    endpoints::Endpoints,
    views::{self, Notification},
};
use chrono::{DateTime, Utc};
use collect::Wanted;
use events::topology::Service;
use serde::Serialize;
use sqlx::PgConnection;
use subject::Meaning;
use uuid::Uuid;

/// The newest notifications of a person that are shown.
pub(crate) const NOTIFICATIONS: i64 = 20;

/// The databases of all services, with their services.
type Databases = Vec<(&'static Service, PgConnection)>;

/// What was found. The names of its fields are stable: programs read them.
#[derive(Debug, Serialize)]
pub(crate) struct Trace {
    /// What was asked.
    pub(crate) subject: String,
    /// What the subject is.
    pub(crate) kind: SubjectKind,
    /// The person whom the subject names.
    pub(crate) person: Option<Person>,
    /// The events, the oldest chain first.
    pub(crate) chains: Vec<Chain>,
    /// What the person was told, the newest first; or the notification that the subject names.
    pub(crate) notifications: Vec<Notification>,
    /// The persons of whom one may be meant.
    pub(crate) choices: Vec<Choice>,
    /// There are more persons than choices.
    pub(crate) more: bool,
    /// Addresses that differ from the subject in a few letters.
    pub(crate) near: Vec<String>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubjectKind {
    Email,
    /// A part of one name or address.
    Name,
    UserId,
    StudentId,
    EncadrantId,
    NotificationId,
    EventId,
    /// A correlation id, which is the request id of what began the chain.
    CorrelationId,
    /// An id that events are about, or that stands in parked events.
    NamedId,
    /// A part of several names or addresses: see the choices.
    Several,
    Nothing,
}

/// A person, without a name or an address: only what was asked with names the person.
#[derive(Debug, Serialize)]
pub(crate) struct Person {
    pub(crate) user_id: Uuid,
    pub(crate) role: Option<String>,
    pub(crate) student_id: Option<Uuid>,
    pub(crate) encadrant_id: Option<Uuid>,
    /// What each service has recorded.
    pub(crate) services: Vec<Record>,
    #[serde(skip)]
    emails: Vec<String>,
}

impl Person {
    /// Whether some services know the person and others do not. An administrator is known to auth-service only.
    pub(crate) fn differs(&self) -> bool {
        let has = |wanted: Knows| self.services.iter().any(|record| record.record == wanted);
        let is_admin = self.role.as_deref() == Some("admin");
        !is_admin && has(Knows::Known) && (has(Knows::Unknown) || has(Knows::Erased))
    }
}

/// Whether a service knows a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Record {
    /// The short name of the service.
    pub(crate) service: &'static str,
    pub(crate) record: Knows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Knows {
    Known,
    Erased,
    Unknown,
}

/// A person who may be meant.
#[derive(Debug, Serialize)]
pub(crate) struct Choice {
    pub(crate) user_id: Uuid,
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

/// The events that one request started, a cause before its effects.
#[derive(Debug, Serialize)]
pub(crate) struct Chain {
    /// Not known of a foreign publisher's event that was handled.
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) began_at: Option<DateTime<Utc>>,
    /// Nothing is left to happen.
    pub(crate) complete: bool,
    /// From its beginning to the last thing that happened.
    pub(crate) milliseconds: Option<i64>,
    pub(crate) events: Vec<EventTrace>,
}

/// An event, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct EventTrace {
    pub(crate) event_id: Uuid,
    pub(crate) routing_key: String,
    /// The service that published it; not known of a foreign publisher's event that was handled.
    pub(crate) publisher: Option<String>,
    pub(crate) hops: Vec<Hop>,
}

/// One thing that happened to an event, or has not happened yet.
#[derive(Debug, Serialize)]
pub(crate) struct Hop {
    /// Since the chain began.
    pub(crate) milliseconds: Option<i64>,
    pub(crate) at: Option<DateTime<Utc>>,
    /// The short name of the service.
    pub(crate) service: &'static str,
    pub(crate) state: State,
    /// The state in a few words.
    pub(crate) what: String,
    /// Why it is not done, in a sentence.
    pub(crate) why: Option<String>,
    /// A command for what is not done.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Committed,
    Published,
    /// It is committed, and will be published.
    Unpublished,
    Unroutable,
    Refused,
    Handled,
    /// A notification was written.
    Notified,
    Waiting,
    Dead,
    /// The queue of the service holds events.
    Queued,
    /// It was published a moment ago.
    UnderWay,
    /// It was published, and is neither in the inbox, nor parked, nor in the queue.
    Missing,
    /// It did not arrive and need not: a later event says the same, or what it is about was erased.
    Obsolete,
    /// The broker does not answer, so the queue is not known.
    Unknown,
}

impl Hop {
    pub(crate) fn is_done(&self) -> bool {
        self.advice.is_none()
    }
}

/// Searches for what the subject names: an e-mail or a part of it, a part of a name, or an id.
pub(crate) async fn find(endpoints: &Endpoints, subject: &str) -> anyhow::Result<Trace> {
    let mut databases = endpoints.databases().await?;
    let databases = &mut databases;
    let mut trace = Trace {
        subject: subject.trim().to_owned(),
        kind: SubjectKind::Nothing,
        person: None,
        chains: Vec::new(),
        notifications: Vec::new(),
        choices: Vec::new(),
        more: false,
        near: Vec::new(),
    };
    match subject::resolve(endpoints, databases, &trace.subject).await? {
        Meaning::Person { kind, user_id } => {
            trace.kind = kind;
            trace.of_person(endpoints, databases, user_id).await?;
        }
        Meaning::Id(id) => trace.of_id(endpoints, databases, id).await?,
        Meaning::Several(mut users) => {
            trace.more = users.len() > subject::CHOICES;
            users.truncate(subject::CHOICES);
            trace.kind = SubjectKind::Several;
            for user_id in users {
                let choice = subject::choice(databases, user_id).await?;
                trace.choices.push(choice);
            }
        }
        Meaning::Nothing => trace.near = near::addresses(databases, &trace.subject).await?,
    }
    Ok(trace)
}

impl Trace {
    async fn of_person(
        &mut self,
        endpoints: &Endpoints,
        databases: &mut Databases,
        user_id: Uuid,
    ) -> anyhow::Result<()> {
        let person = subject::person(databases, user_id).await?;
        for (_, connection) in databases.iter_mut() {
            let notifications = views::notifications_of(connection, user_id, NOTIFICATIONS).await?;
            self.notifications.extend(notifications);
        }
        let ids = [Some(user_id), person.student_id, person.encadrant_id];
        let wanted = Wanted {
            ids: ids.into_iter().flatten().collect(),
            emails: person.emails.clone(),
            event_ids: Vec::new(),
            notifications: self.notifications.clone(),
        };
        self.person = Some(person);
        self.chains = fate::chains(endpoints, databases, &wanted).await?;
        Ok(())
    }

    async fn of_id(
        &mut self,
        endpoints: &Endpoints,
        databases: &mut Databases,
        id: Uuid,
    ) -> anyhow::Result<()> {
        let filter = views::NotificationFilter {
            notification_ids: vec![id],
            ..Default::default()
        };
        for (_, connection) in databases.iter_mut() {
            let notifications = views::notifications(connection, &filter).await?;
            self.notifications.extend(notifications);
        }
        let mut wanted = Wanted::default();
        if let Some(notification) = self.notifications.first() {
            self.kind = SubjectKind::NotificationId;
            wanted.ids.push(notification.source_event);
            wanted.event_ids.push(notification.source_event);
        } else {
            wanted.ids.push(id);
            wanted.event_ids = subject::event_ids(id);
        }
        self.chains = fate::chains(endpoints, databases, &wanted).await?;
        if self.kind == SubjectKind::Nothing && !self.chains.is_empty() {
            self.kind = self.kind_of(id, &wanted.event_ids);
        }
        Ok(())
    }

    fn kind_of(&self, id: Uuid, event_ids: &[Uuid]) -> SubjectKind {
        let mut events = self.chains.iter().flat_map(|chain| &chain.events);
        if events.any(|event| event_ids.contains(&event.event_id)) {
            SubjectKind::EventId
        } else if self
            .chains
            .iter()
            .any(|chain| chain.correlation_id == Some(id))
        {
            SubjectKind::CorrelationId
        } else {
            SubjectKind::NamedId
        }
    }
}
