//! Settles a batch of deliveries. Afterwards each event is handled, was handled before, is parked, or has no
//! handler in this service: all of them may be acknowledged.

use super::DatabaseUnavailable;
use crate::{
    Failure, Outbox, Transaction,
    failure::Recovery,
    handlers::{Handlers, Outcome, Readable, Route},
    inbox,
    parked::Disposition,
    span,
};
use chrono::Utc;
use events::{Envelope, EventId, RawMessage, Refusal, legacy, topology::Queue};
use std::{collections::HashSet, sync::Arc, time::Instant};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

/// How often a batch is retried whose transaction met another one. After that its events are handled one by one.
const CONFLICTS: u32 = 3;

/// Settles the deliveries of one queue with the service's handlers.
#[derive(Clone)]
pub(super) struct Dispatcher {
    pub(super) queue: &'static Queue,
    pub(super) outbox: Outbox,
    pub(super) handlers: Handlers,
}

/// A readable event with its handler.
pub(super) struct Event<'a> {
    pub(super) raw: RawMessage<'a>,
    pub(super) envelope: Envelope<'a>,
    /// An operator had it replayed.
    pub(super) confirmed: bool,
    pub(super) span: Span,
    aggregate_id: Uuid,
    route: &'a Arc<dyn Route>,
}

impl Event<'_> {
    pub(super) fn id(&self) -> EventId {
        self.envelope.meta.event_id
    }
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
            disposition: Disposition::dead(refusal.kind, refusal.reason),
        }
    }
}

impl Dispatcher {
    /// Settles deliveries in the order of their arrival. After a failure it may be called again with the same
    /// deliveries.
    pub(super) async fn settle(
        &self,
        raw_messages: &[RawMessage<'_>],
    ) -> Result<(), DatabaseUnavailable> {
        let mut events = Vec::with_capacity(raw_messages.len());
        for raw in raw_messages {
            match self.read(raw) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => {}
                Err(refused) => {
                    self.refuse(refused.event_id, raw, &refused.disposition)
                        .await?;
                }
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        let events: Vec<&Event<'_>> = events.iter().collect();
        let mut conflicts = 0;
        loop {
            match self.handle(&events).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.recovery() == Recovery::Pause => {
                    return Err(DatabaseUnavailable(failure));
                }
                Err(failure)
                    if failure.recovery() == Recovery::RetryNow && conflicts < CONFLICTS =>
                {
                    conflicts += 1;
                }
                Err(failure) if events.len() == 1 => return self.park(events[0], &failure).await,
                Err(_) => break,
            }
        }
        for event in events {
            match self.handle(&[event]).await {
                Ok(()) => {}
                Err(failure) if failure.recovery() == Recovery::Pause => {
                    return Err(DatabaseUnavailable(failure));
                }
                Err(failure) => self.park(event, &failure).await?,
            }
        }
        Ok(())
    }

    /// Reads a message, finds its handler and checks the payload. `None`: this service has no handler for it.
    pub(super) fn read<'a>(&'a self, raw: &RawMessage<'a>) -> Result<Option<Event<'a>>, Refused> {
        let decoded = if legacy::is_foreign(raw.exchange) {
            legacy::decode(raw)
        } else {
            Envelope::decode(raw)
        };
        let envelope = decoded.map_err(|refusal| Refused::new(raw.fallback_id(), refusal))?;
        let span = span::of(&envelope.meta);
        let Some(route) = self.handlers.get(&envelope.meta.routing_key) else {
            metrics::counter!("medtrack_events_without_handler_total").increment(1);
            span.in_scope(|| tracing::warn!("No handler for routing key: {}", raw.routing_key));
            return Ok(None);
        };
        let aggregate_id = route
            .check(&envelope)
            .map_err(|refusal| Refused::new(envelope.meta.event_id, refusal))?;
        Ok(Some(Event {
            raw: *raw,
            envelope,
            confirmed: false,
            span,
            aggregate_id,
            route,
        }))
    }

    /// Handles events in one transaction.
    async fn handle(&self, events: &[&Event<'_>]) -> Result<(), Failure> {
        match events {
            [event] => {
                let handling = async {
                    let transaction = self.outbox.begin_for_one_event().await?;
                    self.handle_and_commit(transaction, events).await
                };
                handling.instrument(event.span.clone()).await
            }
            _ => {
                let transaction = self.outbox.begin().await?;
                self.handle_and_commit(transaction, events).await
            }
        }
    }

    async fn handle_and_commit(
        &self,
        mut transaction: Transaction,
        events: &[&Event<'_>],
    ) -> Result<(), Failure> {
        match self.handle_in(&mut transaction, events).await {
            Ok(handled) => {
                transaction.commit().await?;
                for event in handled {
                    count_handled(&event.envelope);
                }
                Ok(())
            }
            Err(failure) => {
                let _ = transaction.rollback().await;
                Err(failure)
            }
        }
    }

    /// Returns the events that were handled; the others were handled before, or are parked.
    async fn handle_in<'e, 'a>(
        &self,
        transaction: &mut Transaction,
        events: &[&'e Event<'a>],
    ) -> Result<Vec<&'e Event<'a>>, Failure> {
        let mut handled = Vec::with_capacity(events.len());
        let metas: Vec<_> = events.iter().map(|event| &event.envelope.meta).collect();
        let mut first_time = inbox::first_time(transaction, &metas).await?;
        let mut fresh = Vec::with_capacity(events.len());
        for event in events {
            // Removing the id also settles two copies in one batch.
            if first_time.remove(&event.id()) {
                fresh.push(*event);
            } else {
                report_duplicate(event);
            }
        }
        for run in runs(&fresh) {
            let mut sorted = run.to_vec();
            // Sorted, so that the row locks of two consumers cannot cross.
            sorted.sort_by_key(|event| event.aggregate_id);
            let outcome = handle_timed(transaction, &sorted).await?;
            for event in run {
                match outcome.waits_for(event.id()) {
                    None => handled.push(*event),
                    // Parked at once and not at the end: a later run may release it.
                    Some(key) => self.park_waiting(transaction, event, key.clone()).await?,
                }
            }
        }
        Ok(handled)
    }
}

/// Splits a batch into runs that one call may handle: events of one kind, with no aggregate twice. Two versions of
/// one row in one statement would lose one of them, or fail.
fn runs<'s, 'e, 'a>(events: &'s [&'e Event<'a>]) -> Vec<&'s [&'e Event<'a>]> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut aggregates = HashSet::new();
    for (i, event) in events.iter().enumerate() {
        let same_kind = event.envelope.meta.routing_key == events[start].envelope.meta.routing_key;
        if !same_kind || !aggregates.insert(event.aggregate_id) {
            runs.push(&events[start..i]);
            start = i;
            aggregates = HashSet::from([event.aggregate_id]);
        }
    }
    if start < events.len() {
        runs.push(&events[start..]);
    }
    runs
}

/// Calls the handler of events of one kind, and measures how long it takes for each.
pub(super) async fn handle_timed(
    transaction: &mut Transaction,
    events: &[&Event<'_>],
) -> Result<Outcome, Failure> {
    let readable: Vec<_> = events
        .iter()
        .map(|event| Readable {
            envelope: &event.envelope,
            confirmed: event.confirmed,
            span: &event.span,
        })
        .collect();
    let began = Instant::now();
    let outcome = events[0].route.handle(transaction, &readable).await;
    let each = began.elapsed().as_secs_f64() / events.len() as f64;
    let routing_key = events[0].envelope.meta.routing_key.clone();
    metrics::histogram!("medtrack_handler_seconds", "routing_key" => routing_key).record(each);
    outcome
}

pub(super) fn report_duplicate(event: &Event<'_>) {
    metrics::counter!("medtrack_events_duplicate_total").increment(1);
    event
        .span
        .in_scope(|| tracing::info!("Event already handled"));
}

pub(super) fn count_handled(envelope: &Envelope<'_>) {
    let meta = &envelope.meta;
    let age = (Utc::now() - meta.timestamp)
        .num_microseconds()
        .unwrap_or(i64::MAX)
        .max(0) as f64
        / 1e6;
    metrics::counter!("medtrack_events_handled_total", "routing_key" => meta.routing_key.clone())
        .increment(1);
    metrics::histogram!("medtrack_end_to_end_seconds", "routing_key" => meta.routing_key.clone())
        .record(age);
}
