//! The handlers of a consumer: one function for each event, and what it answers.

mod route;

pub use route::HandlerFn;
pub(crate) use route::{Readable, Route};

use crate::{Cause, Failure, Transaction};
use events::{Envelope, Event, EventId, Meta, WaitsFor, catalogue::EVENTS, key, topology::Queue};
use futures_util::future::BoxFuture;
use route::{Ignored, Typed};
use std::{collections::HashMap, sync::Arc};
use tracing::Span;

/// An event as a handler receives it.
#[derive(Debug)]
pub struct Message<E> {
    /// What happened.
    pub payload: E,
    /// The publisher, the time and the version.
    pub meta: Meta,
    /// An operator looked at the parked event and had it replayed.
    pub confirmed: bool,
    pub(crate) span: Span,
}

impl<E> Message<E> {
    /// This event as the cause of other events.
    pub fn cause(&self) -> Cause {
        Cause::event(&self.meta, self.span.clone())
    }
}

/// What a handler did with its events. `()` stands for [`Outcome::Handled`].
#[derive(Debug, Default)]
#[must_use]
pub enum Outcome {
    /// All events are handled.
    #[default]
    Handled,
    /// These events need something that has not arrived. Each is parked until [`crate::Transaction::release`] names its
    /// key, and is also tried again from time to time. All other events are handled.
    Wait(HashMap<EventId, WaitsFor>),
}

impl Outcome {
    pub(crate) fn waits_for(&self, event_id: EventId) -> Option<&WaitsFor> {
        match self {
            Outcome::Handled => None,
            Outcome::Wait(waiting) => waiting.get(&event_id),
        }
    }
}

impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Outcome::Handled
    }
}

impl FromIterator<(EventId, WaitsFor)> for Outcome {
    fn from_iter<I: IntoIterator<Item = (EventId, WaitsFor)>>(waiting: I) -> Self {
        Outcome::Wait(waiting.into_iter().collect())
    }
}

/// What a service does in the transaction of a batch before the first of several handlers runs, such as to lock all rows
/// that they will change in one order: each handler can sort only its own.
pub type Before =
    for<'a> fn(&'a mut Transaction, &'a [&'a Envelope<'a>]) -> BoxFuture<'a, Result<(), Failure>>;

/// The handlers of a consumer.
///
/// A handler is an `async fn(&mut Transaction, &[Message<E>]) -> Result<O, Failure>`, where `O` is `()` or
/// [`Outcome`]. It receives one or more events of one kind, each about another aggregate, sorted by aggregate. It
/// borrows the transaction and never ends it. After a failure it may be called again with the same events, in a
/// new transaction.
#[derive(Clone, Default)]
pub struct Handlers {
    routes: HashMap<&'static str, Arc<dyn Route>>,
    pub(crate) before: Option<Before>,
}

impl Handlers {
    /// No handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of one event.
    ///
    /// # Panics
    /// Panics when the event has a handler already, or is ignored.
    #[must_use]
    pub fn on<E, F>(self, handler: F) -> Self
    where
        E: Event,
        F: for<'a> HandlerFn<'a, E> + Send + Sync + 'static,
    {
        self.add(E::KEY, Typed::new(handler))
    }

    /// Takes one event without doing anything: it is acknowledged and recorded in the inbox as handled.
    ///
    /// # Panics
    /// Panics when the event has a handler already, or is ignored.
    #[must_use]
    pub fn ignore<E: Event>(self) -> Self {
        self.add(E::KEY, Ignored::<E>::new())
    }

    /// Adds what precedes the handlers of a batch that needs more than one call.
    #[must_use]
    pub fn before(self, before: Before) -> Self {
        let before = Some(before);
        Self { before, ..self }
    }

    fn add(mut self, key: &'static str, route: impl Route + 'static) -> Self {
        if let Some(first) = self.routes.get(key) {
            panic!(
                "{key} is registered twice: for {} and for {}",
                first.name(),
                route.name()
            );
        }
        self.routes.insert(key, Arc::new(route));
        self
    }

    /// Compares the handlers with the patterns of a queue: a line for each event of the catalogue that the queue
    /// receives and that is neither handled nor ignored, and for each handler whose event the queue does not
    /// receive.
    pub fn differences(&self, queue: &Queue) -> Vec<String> {
        let receives = |key: &str| {
            queue
                .patterns
                .iter()
                .any(|pattern| key::matches(pattern, key))
        };
        let missing = EVENTS
            .iter()
            .map(|event| event.key)
            .filter(|key| receives(key) && !self.routes.contains_key(key))
            .map(|key| format!("{} receives {key}, which has no handler", queue.name));
        let useless = self
            .routes
            .iter()
            .filter(|(key, _)| !receives(key))
            .map(|(key, route)| {
                format!("{} never receives {key} for {}", queue.name, route.name())
            });
        missing.chain(useless).collect()
    }

    pub(crate) fn get(&self, routing_key: &str) -> Option<&Arc<dyn Route>> {
        self.routes.get(routing_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::{
        auth::{SessionRevoked, UserCreated, UserDeleted, UserRoleChanged, UserUpdated},
        profile::StudentCreated,
        topology::PROFILE,
    };

    async fn a_handler(
        _: &mut Transaction,
        events: &[Message<UserCreated>],
    ) -> Result<(), Failure> {
        assert!(!events.is_empty());
        Ok(())
    }

    async fn one_that_waits(
        _: &mut Transaction,
        events: &[Message<UserUpdated>],
    ) -> Result<Outcome, Failure> {
        let key = |event: &Message<UserUpdated>| WaitsFor::user(event.payload.user_id);
        Ok(events
            .iter()
            .map(|event| (event.meta.event_id, key(event)))
            .collect())
    }

    #[test]
    fn an_async_function_is_a_handler() {
        let handlers = Handlers::new().on(a_handler).on(one_that_waits);
        assert!(handlers.get(UserCreated::KEY).is_some());
        assert!(handlers.get(UserUpdated::KEY).is_some());
        assert!(handlers.get("stage.created").is_none());
    }

    #[test]
    #[should_panic(
        expected = "auth.user.created is registered twice: for messaging::handlers::tests::a_handler and for ignore"
    )]
    fn a_second_registration_of_one_event_panics() {
        let _ = Handlers::new().on(a_handler).ignore::<UserCreated>();
    }

    #[test]
    fn handlers_are_compared_with_the_patterns_of_the_queue() {
        let handlers = Handlers::new()
            .on(a_handler)
            .on(one_that_waits)
            .ignore::<UserRoleChanged>()
            .ignore::<SessionRevoked>()
            .ignore::<StudentCreated>();
        assert_eq!(
            handlers.differences(&PROFILE.queue),
            [
                format!(
                    "{} receives {}, which has no handler",
                    PROFILE.queue.name,
                    UserDeleted::KEY
                ),
                format!(
                    "{} never receives {} for ignore",
                    PROFILE.queue.name,
                    StudentCreated::KEY
                ),
            ]
        );
        let whole = Handlers::new()
            .on(a_handler)
            .on(one_that_waits)
            .ignore::<UserRoleChanged>()
            .ignore::<SessionRevoked>()
            .ignore::<UserDeleted>();
        assert_eq!(whole.differences(&PROFILE.queue), Vec::<String>::new());
    }
}
