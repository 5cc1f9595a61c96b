//! Settles a batch of deliveries. Afterwards each event is handled, was handled before, is parked, or is one of too many
//! that have no handler: all of them may be acknowledged. Only events that a time limit ended, while no other event
//! passed, stay open.

use super::{
    DatabaseUnavailable, NotParked,
    handle::{CONFLICTS, Event},
};
use crate::{
    Failure, Outbox,
    failure::{Recovery, chain},
    handlers::Handlers,
    parked::{Disposition, Room, Tries},
    span,
};
use events::{Envelope, EventId, Meta, RawMessage, Refusal, legacy, topology::Queue};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::timeout;

/// A message that was returned to its queue so often is set aside before it is handled: its handling may end the
/// process, and must not do so again while the queue waits for it.
const RETURNS: i64 = 3;
/// So many events are tried one by one before all events of a batch count as stuck.
const PROBES: usize = 3;

/// Settles the deliveries of one queue with the service's handlers.
#[derive(Clone)]
pub(super) struct Dispatcher {
    pub(super) queue: &'static Queue,
    pub(super) outbox: Outbox,
    pub(super) handlers: Handlers,
    /// The time limit of one attempt.
    pub(super) limit: Duration,
    pub(super) room: Arc<Room>,
}

/// A message, and how often it was returned to its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming<'a> {
    pub(super) raw: RawMessage<'a>,
    pub(super) returns: i64,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// An event was handled: the database works.
    pub(super) passed: bool,
    /// The positions of the messages that are neither handled nor parked.
    pub(super) stuck: Vec<usize>,
    /// Why they are stuck.
    pub(super) cause: String,
    /// The positions of the messages that the database refuses to park: they go to the crashed queue.
    pub(super) refused: Vec<usize>,
}

impl Settled {
    /// Records what became of the message at a position that was to be parked.
    fn park(
        &mut self,
        position: usize,
        parked: Result<(), NotParked>,
    ) -> Result<(), DatabaseUnavailable> {
        match parked {
            Ok(()) => {}
            Err(NotParked::Unavailable(unavailable)) => return Err(unavailable),
            Err(NotParked::Refused) => self.refused.push(position),
        }
        Ok(())
    }
}

/// A message with a readable `_meta`.
pub(super) enum Reading<'a> {
    Event(Event<'a>),
    /// This service has no handler for it.
    NoHandler(Meta),
}

/// A message that can never be handled.
pub(super) struct Refused {
    pub(super) event_id: EventId,
    pub(super) disposition: Disposition,
}

impl Refused {
    fn new(event_id: EventId, refusal: Refusal) -> Self {
        Self {
            event_id,
            disposition: Disposition::dead(refusal.kind, refusal.reason, 1),
        }
    }
}

impl Dispatcher {
    /// Settles deliveries. After a failure it may be called again with the same deliveries. `others_pass`: an event that
    /// a time limit ends is parked at once, because other events pass.
    pub(super) async fn settle(
        &self,
        messages: &[Incoming<'_>],
        others_pass: bool,
    ) -> Result<Settled, DatabaseUnavailable> {
        let (mut positions, mut events) = (Vec::new(), Vec::with_capacity(messages.len()));
        let mut settled = Settled::default();
        for (position, Incoming { raw, returns }) in messages.iter().enumerate() {
            let parked = match self.read(raw) {
                Ok(Reading::Event(event)) if *returns >= RETURNS => {
                    let disposition = Disposition::set_aside(*returns);
                    self.park_event(&event, disposition).await
                }
                Ok(Reading::Event(event)) => {
                    positions.push(position);
                    events.push(event);
                    continue;
                }
                Ok(Reading::NoHandler(meta)) => Ok(self.keep_unknown(raw, &meta).await?),
                Err(Refused {
                    event_id,
                    disposition,
                }) => self.refuse(event_id, raw, disposition).await,
            };
            settled.park(position, parked)?;
        }
        let events: Vec<&Event<'_>> = events.iter().collect();
        let of_events = self.settle_events(&events, others_pass).await?;
        let places = |events: Vec<usize>| events.into_iter().map(|event| positions[event]);
        settled.refused.extend(places(of_events.refused));
        Ok(Settled {
            stuck: places(of_events.stuck).collect(),
            refused: settled.refused,
            ..of_events
        })
    }

    /// Settles events together, or one by one when that fails. The positions of the result are those of `events`.
    async fn settle_events(
        &self,
        events: &[&Event<'_>],
        others_pass: bool,
    ) -> Result<Settled, DatabaseUnavailable> {
        if events.is_empty() {
            return Ok(Settled::default());
        }
        let failure = match self.handle_again(events).await {
            Ok(()) => {
                return Ok(Settled {
                    passed: true,
                    ..Settled::default()
                });
            }
            Err(failure) if failure.recovery() == Recovery::Pause => {
                return Err(DatabaseUnavailable(failure));
            }
            Err(failure) => failure,
        };
        match events {
            [event] if others_pass || failure.blames_event() => {
                let mut settled = Settled::default();
                settled.park(0, self.park(event, &failure).await)?;
                Ok(settled)
            }
            [_] => Ok(Settled {
                stuck: vec![0],
                cause: chain(&failure),
                ..Settled::default()
            }),
            _ => self.settle_singly(events, others_pass).await,
        }
    }

    /// Settles the events of a batch one by one, so that only those are parked that fail.
    async fn settle_singly(
        &self,
        events: &[&Event<'_>],
        others_pass: bool,
    ) -> Result<Settled, DatabaseUnavailable> {
        let mut settled = Settled {
            passed: others_pass,
            ..Settled::default()
        };
        for (i, event) in events.iter().enumerate() {
            if !settled.passed && settled.stuck.len() >= PROBES {
                settled.stuck.push(i);
                continue;
            }
            match self.handle_again(&[event]).await {
                Ok(()) => settled.passed = true,
                Err(failure) if failure.recovery() == Recovery::Pause => {
                    return Err(DatabaseUnavailable(failure));
                }
                Err(failure) if settled.passed || failure.blames_event() => {
                    settled.park(i, self.park(event, &failure).await)?;
                }
                Err(failure) => {
                    settled.stuck.push(i);
                    settled.cause = chain(&failure);
                }
            }
        }
        if settled.passed {
            // Others have passed since. One more try tells whether these are slow, or the database was.
            for i in std::mem::take(&mut settled.stuck) {
                match self.handle_again(&[events[i]]).await {
                    Ok(()) => {}
                    Err(failure) if failure.recovery() == Recovery::Pause => {
                        return Err(DatabaseUnavailable(failure));
                    }
                    Err(failure) => settled.park(i, self.park(events[i], &failure).await)?,
                }
            }
        }
        Ok(settled)
    }

    /// Handles events in one transaction, and does so again when it met another transaction.
    async fn handle_again(&self, events: &[&Event<'_>]) -> Result<(), Failure> {
        let mut conflicts = 0;
        loop {
            match self.handle(events).await {
                Err(failure)
                    if failure.recovery() == Recovery::RetryNow && conflicts < CONFLICTS =>
                {
                    conflicts += 1;
                }
                handled => return handled,
            }
        }
    }

    /// Parks an event whose handler failed.
    async fn park(&self, event: &Event<'_>, failure: &Failure) -> Result<(), NotParked> {
        let disposition = Disposition::of(failure, Tries::FIRST);
        self.park_event(event, disposition).await
    }

    /// Reads a message, finds its handler and checks the payload.
    pub(super) fn read<'a>(&'a self, raw: &RawMessage<'a>) -> Result<Reading<'a>, Refused> {
        let decoded = if legacy::is_foreign(raw.exchange) {
            legacy::decode(raw)
        } else {
            Envelope::decode(raw)
        };
        let envelope = decoded.map_err(|refusal| Refused::new(raw.fallback_id(), refusal))?;
        let span = span::of(&envelope.meta);
        let Some(route) = self.handlers.get(&envelope.meta.routing_key) else {
            return Ok(Reading::NoHandler(envelope.meta));
        };
        let aggregate_id = route
            .check(&envelope)
            .map_err(|refusal| Refused::new(envelope.meta.event_id, refusal))?;
        Ok(Reading::Event(Event {
            raw: *raw,
            envelope,
            confirmed: false,
            span,
            aggregate_id,
            route,
        }))
    }

    /// Gives an attempt its time limit. When it takes longer, its connection is dropped in the middle of its work; the
    /// pool asks a dropped connection whether it is still sound, and closes one that is not or does not answer.
    pub(super) async fn limited<T>(
        &self,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        timeout(self.limit, attempt)
            .await
            .unwrap_or(Err(Failure::NoAnswer))
    }
}
