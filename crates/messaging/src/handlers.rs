//! ParkedFilter function handles which event: a list, one line per event.

use crate::{Cause, Failure, Transaction};
use events::{Envelope, Event, Meta, Refusal};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    any::Any, collections::HashMap, future::Future, marker::PhantomData, panic::AssertUnwindSafe,
    sync::Arc,
};
use uuid::Uuid;

/// An event as a handler gets it.
#[derive(Debug)]
pub struct Message<E> {
    /// What happened.
    pub payload: E,
    /// Who says so, when, and in which version.
    pub meta: Meta,
}

impl<E> Message<E> {
    /// This event as the cause of another.
    pub fn cause(&self) -> Cause {
        Cause::event(&self.meta)
    }
}

/// The handlers of a consumer.
///
/// A handler is an `async fn(&mut Transaction, &[Message<E>]) -> Result<(), Failure>`. It gets one or many
/// events of one kind, each about another aggregate, sorted by aggregate; it borrows the transaction and
/// never ends it. It may be called again with the same events after a failure, in a new transaction.
#[derive(Clone, Default)]
pub struct Handlers {
    routes: HashMap<&'static str, Arc<dyn Route>>,
}

impl Handlers {
    /// No handlers yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the handler of one event.
    #[must_use]
    pub fn on<E, F>(mut self, handler: F) -> Self
    where
        E: Event,
        F: for<'a> HandlerFn<'a, E> + Send + Sync + 'static,
    {
        self.routes.insert(
            E::KEY,
            Arc::new(Typed {
                handler,
                event: PhantomData::<fn(E)>,
            }),
        );
        self
    }

    pub(crate) fn get(&self, routing_key: &str) -> Option<&Arc<dyn Route>> {
        self.routes.get(routing_key)
    }
}

/// What [`Handlers::on`] takes: an `async fn` over the events of one kind.
pub trait HandlerFn<'a, E: 'a>: Fn(&'a mut Transaction, &'a [Message<E>]) -> Self::Future {
    /// What the function returns.
    type Future: Future<Output = Result<(), Failure>> + Send + 'a;
}

impl<'a, E: 'a, F, R> HandlerFn<'a, E> for F
where
    F: Fn(&'a mut Transaction, &'a [Message<E>]) -> R,
    R: Future<Output = Result<(), Failure>> + Send + 'a,
{
    type Future = R;
}

/// A handler whose event type is hidden.
pub(crate) trait Route: Send + Sync {
    /// Reads the payload, and tells which aggregate it is about.
    fn check(&self, envelope: &Envelope<'_>) -> Result<Uuid, Refusal>;

    /// Handles events that [`Route::check`] has passed.
    fn handle<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        envelopes: &'a [&'a Envelope<'a>],
    ) -> BoxFuture<'a, Result<(), Failure>>;
}

struct Typed<E, F> {
    handler: F,
    event: PhantomData<fn(E)>,
}

impl<E, F> Route for Typed<E, F>
where
    E: Event,
    F: for<'a> HandlerFn<'a, E> + Send + Sync + 'static,
{
    fn check(&self, envelope: &Envelope<'_>) -> Result<Uuid, Refusal> {
        envelope
            .payload::<E>()
            .map(|payload| payload.aggregate_id())
    }

    fn handle<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        envelopes: &'a [&'a Envelope<'a>],
    ) -> BoxFuture<'a, Result<(), Failure>> {
        async move {
            let received: Result<Vec<_>, Refusal> = envelopes
                .iter()
                .map(|envelope| {
                    Ok(Message {
                        payload: envelope.payload::<E>()?,
                        meta: envelope.meta.clone(),
                    })
                })
                .collect();
            let received = received.map_err(|refusal| Failure::Reject(refusal.reason))?;
            AssertUnwindSafe((self.handler)(transaction, &received))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(Failure::Panic(panic_message(panic.as_ref()))))
        }
        .boxed()
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::auth::UserCreated;

    async fn a_handler(
        _: &mut Transaction,
        events: &[Message<UserCreated>],
    ) -> Result<(), Failure> {
        assert!(!events.is_empty());
        Ok(())
    }

    #[test]
    fn an_async_function_is_a_handler() {
        let handlers = Handlers::new().on(a_handler);
        assert!(handlers.get(UserCreated::KEY).is_some());
        assert!(handlers.get("stage.created").is_none());
    }
}
