//! An event that was published, and that a service has neither handled nor parked: it is in the queue, on its way, not
//! needed any more, or missing.

use super::{
    Databases, Hop, State,
    collect::Events,
    fate::{done, open},
};
use crate::{
    command_line::CommandLine,
    queues::QueueState,
    words::{count, span},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use events::{
    key,
    topology::{SERVICES, Service},
};
use messaging::admin::{self, ChainEvent, PublishedPage};
use std::collections::HashSet;
use uuid::Uuid;

/// Younger events may be on their way: the number of messages that a consumer has in hand is some seconds old, and a
/// frozen consumer loses those that it has.
const GRACE: TimeDelta = TimeDelta::seconds(30);
/// A consumer is on its queue again so soon after RabbitMQ has come back.
const BACK: TimeDelta = TimeDelta::seconds(10);
/// How many later events are looked for in the inbox.
const LATER: i64 = 500;

/// What decides where unreceived events are.
pub(super) struct Unreceived<'a> {
    line: &'a CommandLine,
    now: DateTime<Utc>,
    /// `None`: the broker does not answer, or nothing depends on it.
    pub(super) queues: Option<Vec<QueueState>>,
    /// The events that others have passed on their way to a service, by its short name. A queue keeps the order in which
    /// a service publishes: they are not in it.
    passed: HashSet<(Uuid, &'static str)>,
}

impl<'a> Unreceived<'a> {
    pub(super) fn new(line: &'a CommandLine) -> Self {
        Self {
            line,
            now: Utc::now(),
            queues: None,
            passed: HashSet::new(),
        }
    }

    /// Finds out which events others have passed.
    pub(super) async fn compare(
        &mut self,
        databases: &mut Databases,
        events: &Events,
    ) -> sqlx::Result<()> {
        for reader in SERVICES {
            for event in events.values() {
                let Some((sent, published_at)) = event.unreceived(reader) else {
                    continue;
                };
                let producer = event.outbox.as_ref().map(|(service, _)| service.short);
                let page = PublishedPage {
                    after: (published_at + GRACE, Uuid::nil()),
                    until: self.now,
                    limit: LATER,
                };
                let mut later = Vec::new();
                for (service, connection) in databases.iter_mut() {
                    if Some(service.short) == producer {
                        later = admin::published(connection, &page).await?;
                    }
                }
                let mut patterns = reader.queue.patterns.iter();
                later.retain(|later| {
                    patterns.any(|pattern| key::matches(pattern, &later.routing_key))
                });
                let ids: Vec<Uuid> = later.iter().map(|later| later.event_id).collect();
                for (service, connection) in databases.iter_mut() {
                    if service.short == reader.short
                        && !admin::received(connection, &ids).await?.is_empty()
                    {
                        self.passed.insert((sent.event_id, reader.short));
                    }
                }
            }
        }
        Ok(())
    }

    /// Says where the event is that a service has not received.
    pub(super) fn hop(
        &self,
        service: &'static Service,
        sent: &ChainEvent,
        published_at: DateTime<Utc>,
    ) -> Hop {
        let (queue, doctor) = (service.queue.name, self.line.operator("doctor"));
        let age = self.now - published_at;
        let published = format!("it was published {} ago", span(age));
        let Some(states) = &self.queues else {
            let why = format!(
                "{published} and has not been handled; RabbitMQ does not answer, so it is not known whether it is in \
                 the queue {queue}"
            );
            return open(service, State::Unknown, ("not handled", why), doctor);
        };
        let state = states.iter().find(|state| state.name == queue);
        let held = state.map_or(0, |state| {
            state.ready + state.unacknowledged + state.crashed
        });
        let is_passed = self.passed.contains(&(sent.event_id, service.short));
        if held > 0 && !is_passed {
            let why = format!(
                "{published}; the queue {queue} holds {}",
                count(held, "event")
            );
            let consumers = state.map_or(0, |state| state.consumers);
            let (why, advice) = match consumers {
                0 if age < BACK => (format!("{why}, and no consumer reads it now"), doctor),
                0 => {
                    let consumer = format!("{}-consumer", service.short);
                    let why = format!("{why}, and no consumer reads it");
                    (why, self.line.restart(&consumer))
                }
                _ if age < GRACE => (format!("{why}, and is being read"), doctor),
                _ => {
                    let why = format!("{why}, and its consumer is behind, slow or frozen");
                    (why, doctor)
                }
            };
            return open(service, State::Queued, ("in the queue", why), advice);
        }
        if age < GRACE {
            let why =
                format!("{published}, and should be handled in a moment; trace again after 30 s");
            return open(service, State::UnderWay, ("on its way", why), doctor);
        }
        if sent.is_obsolete {
            let what = "did not arrive, and need not: a later event replaces it";
            return Hop {
                at: None,
                ..done(service, State::Obsolete, published_at, what)
            };
        }
        let gone = match is_passed {
            true => "later events have passed it in its queue",
            false => "its queue is empty",
        };
        let why = format!(
            "{published}, and is neither in the inbox of {}, nor parked; {gone}",
            service.name
        );
        let (why, advice) = self.mend(service, state, sent.has_text, (why, published_at));
        open(service, State::Missing, ("missing", why), advice)
    }

    /// What brings a missing event back.
    fn mend(
        &self,
        service: &Service,
        state: Option<&QueueState>,
        has_text: bool,
        (why, published_at): (String, DateTime<Utc>),
    ) -> (String, String) {
        let is_bound = |pattern: &&&str| {
            state.is_some_and(|state| state.bindings.iter().any(|bound| bound == **pattern))
        };
        let unbound: Vec<&str> = service
            .queue
            .patterns
            .iter()
            .filter(|pattern| !is_bound(pattern))
            .copied()
            .collect();
        if !unbound.is_empty() {
            let why = format!(
                "{why}; the queue is not bound to {}: bind it first, then trace again",
                unbound.join(" ")
            );
            return (why, self.line.operator("topology apply"));
        }
        let advice = if has_text {
            let since = published_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            format!("events replay --since {since} --to {}", service.short)
        } else {
            "reconcile --fix".into()
        };
        (why, self.line.operator(&advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::topology::COMM;

    fn sent() -> ChainEvent {
        ChainEvent {
            event_id: Uuid::nil(),
            routing_key: "student.updated".into(),
            causation_id: None,
            created_at: DateTime::UNIX_EPOCH,
            published_at: None,
            unroutable_at: None,
            refused_at: None,
            has_text: true,
            is_obsolete: false,
        }
    }

    fn queue(ready: u64, consumers: u64) -> QueueState {
        QueueState {
            name: COMM.queue.name,
            ready,
            unacknowledged: 0,
            consumers,
            bindings: COMM
                .queue
                .patterns
                .iter()
                .map(ToString::to_string)
                .collect(),
            crashed: 0,
            in_the_way: None,
            old_exchanges: Default::default(),
        }
    }

    /// The state and the advice of an event that was published so many seconds ago.
    fn of(
        queue: Option<QueueState>,
        sent: &ChainEvent,
        seconds: i64,
        is_passed: bool,
    ) -> (State, String) {
        let line = CommandLine::new(None, true);
        let mut unreceived = Unreceived::new(&line);
        unreceived.queues = queue.map(|queue| vec![queue]);
        if is_passed {
            unreceived.passed.insert((sent.event_id, COMM.short));
        }
        let published_at = unreceived.now - TimeDelta::seconds(seconds);
        let hop = unreceived.hop(&COMM, sent, published_at);
        let advice = hop.advice.unwrap_or_default();
        (
            hop.state,
            advice.trim_start_matches("./medtrack ").to_owned(),
        )
    }

    #[test]
    fn what_is_not_received_is_queued_under_way_obsolete_or_missing() {
        let plain = sent();
        for (queue, seconds, is_passed, state, advice) in [
            (None, 300, false, State::Unknown, "doctor"),
            (
                Some(queue(2, 0)),
                300,
                false,
                State::Queued,
                "restart comm-consumer",
            ),
            (Some(queue(2, 0)), 1, false, State::Queued, "doctor"),
            (Some(queue(2, 1)), 300, false, State::Queued, "doctor"),
            (Some(queue(0, 1)), 3, false, State::UnderWay, "doctor"),
            (
                Some(queue(0, 1)),
                300,
                false,
                State::Missing,
                "events replay --since ",
            ),
            (
                Some(queue(2, 1)),
                300,
                true,
                State::Missing,
                "events replay --since ",
            ),
        ] {
            let (is, mends) = of(queue, &plain, seconds, is_passed);
            assert!(is == state && mends.starts_with(advice), "{is:?} {mends}");
        }
    }

    #[test]
    fn a_missing_event_is_brought_back_by_what_can_bring_it() {
        let unbound = || QueueState {
            bindings: vec!["stage.*".into()],
            ..queue(0, 1)
        };
        let without_text = ChainEvent {
            has_text: false,
            ..sent()
        };
        let obsolete = ChainEvent {
            is_obsolete: true,
            ..without_text.clone()
        };
        let missing = |advice: &str| (State::Missing, advice.to_owned());
        assert_eq!(
            of(Some(unbound()), &sent(), 300, false),
            missing("topology apply")
        );
        assert_eq!(
            of(Some(queue(0, 1)), &without_text, 300, false),
            missing("reconcile --fix")
        );
        let (state, advice) = of(Some(queue(0, 1)), &obsolete, 300, false);
        assert!(state == State::Obsolete && advice.is_empty(), "{advice}");
    }
}
