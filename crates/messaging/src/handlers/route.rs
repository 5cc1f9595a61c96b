//! A handler whose event type is hidden, so that one map holds the handlers of all events.

use super::{Message, Outcome};
use crate::{Failure, Transaction};
use events::{Envelope, Event, Refusal};
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    any::{Any, type_name},
    future::{Future, ready},
    marker::PhantomData,
    panic::AssertUnwindSafe,
};
use tracing::Span;
use uuid::Uuid;

/// What [`crate::Handlers::on`] takes: an `async fn` over the events of one kind.
pub trait HandlerFn<'a, E: 'a>: Fn(&'a mut Transaction, &'a [Message<E>]) -> Self::Future {
    /// What the function says about its events.
    type Outcome: Into<Outcome>;
    /// What the function returns.
    type Future: Future<Output = Result<Self::Outcome, Failure>> + Send + 'a;
}

impl<'a, E: 'a, F, R, O> HandlerFn<'a, E> for F
where
    F: Fn(&'a mut Transaction, &'a [Message<E>]) -> R,
    R: Future<Output = Result<O, Failure>> + Send + 'a,
    O: Into<Outcome>,
{
    type Outcome = O;
    type Future = R;
}

/// An event that a handler can take, with its span.
#[derive(Clone, Copy)]
pub(crate) struct Readable<'a> {
    pub(crate) envelope: &'a Envelope<'a>,
    pub(crate) confirmed: bool,
    pub(crate) span: &'a Span,
}

/// A handler whose event type is hidden.
pub(crate) trait Route: Send + Sync {
    /// The name of the handler's function.
    fn name(&self) -> &'static str;

    /// Reads the payload, and returns the id of the aggregate that it is about.
    fn check(&self, envelope: &Envelope<'_>) -> Result<Uuid, Refusal>;

    /// Handles events that [`Route::check`] has accepted.
    fn handle<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        events: &'a [Readable<'a>],
    ) -> BoxFuture<'a, Result<Outcome, Failure>>;
}

pub(super) struct Typed<E, F> {
    handler: F,
    event: PhantomData<fn(E)>,
}

impl<E, F> Typed<E, F> {
    pub(super) fn new(handler: F) -> Self {
        Self {
            handler,
            event: PhantomData,
        }
    }
}

impl<E, F> Route for Typed<E, F>
where
    E: Event,
    F: for<'a> HandlerFn<'a, E> + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        type_name::<F>()
    }

    fn check(&self, envelope: &Envelope<'_>) -> Result<Uuid, Refusal> {
        aggregate_of::<E>(envelope)
    }

    fn handle<'a>(
        &'a self,
        transaction: &'a mut Transaction,
        events: &'a [Readable<'a>],
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        async move {
            let messages: Result<Vec<_>, Refusal> = events
                .iter()
                .map(|event| {
                    Ok(Message {
                        payload: event.envelope.payload::<E>()?,
                        meta: event.envelope.meta.clone(),
                        confirmed: event.confirmed,
                        span: event.span.clone(),
                    })
                })
                .collect();
            let messages = messages.map_err(|refusal| Failure::Reject(refusal.reason))?;
            let handled = AssertUnwindSafe((self.handler)(transaction, &messages))
                .catch_unwind()
                .await;
            match handled {
                Ok(handled) => handled.map(Into::into),
                Err(panic) => Err(Failure::Panic(panic_message(panic.as_ref()))),
            }
        }
        .boxed()
    }
}

/// The route of an event that is ignored on purpose.
pub(super) struct Ignored<E>(PhantomData<fn(E)>);

impl<E> Ignored<E> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E: Event> Route for Ignored<E> {
    fn name(&self) -> &'static str {
        "ignore"
    }

    fn check(&self, envelope: &Envelope<'_>) -> Result<Uuid, Refusal> {
        aggregate_of::<E>(envelope)
    }

    fn handle<'a>(
        &'a self,
        _: &'a mut Transaction,
        _: &'a [Readable<'a>],
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        ready(Ok(Outcome::Handled)).boxed()
    }
}

fn aggregate_of<E: Event>(envelope: &Envelope<'_>) -> Result<Uuid, Refusal> {
    envelope
        .payload::<E>()
        .map(|payload| payload.aggregate_id())
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}
