//! Handles events in one transaction: inbox ids, handlers, and the events that follow.

use super::{dispatch::Dispatcher, runs::runs};
use crate::{
    Failure, Transaction,
    handlers::{Outcome, Readable, Route},
    inbox,
};
use chrono::Utc;
use events::{Envelope, EventId, RawMessage};
use std::{sync::Arc, time::Instant};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

/// How often work is done again whose transaction met another one.
pub(super) const CONFLICTS: u32 = 3;

/// A readable event with its handler.
pub(super) struct Event<'a> {
    pub(super) raw: RawMessage<'a>,
    pub(super) envelope: Envelope<'a>,
    /// An operator had it replayed.
    pub(super) confirmed: bool,
    pub(super) span: Span,
    pub(super) aggregate_id: Uuid,
    pub(super) route: &'a Arc<dyn Route>,
}

impl Event<'_> {
    pub(super) fn id(&self) -> EventId {
        self.envelope.meta.event_id
    }

    /// Equal for events of one kind: they have the same handler.
    fn kind(&self) -> usize {
        Arc::as_ptr(self.route).cast::<()>().addr()
    }
}

impl Dispatcher {
    /// Handles events in one transaction.
    pub(super) async fn handle(&self, events: &[&Event<'_>]) -> Result<(), Failure> {
        match events {
            [event] => {
                let handling = self.limited(async {
                    let transaction = self.outbox.begin_for_one_event().await?;
                    self.handle_and_commit(transaction, events).await
                });
                handling.instrument(event.span.clone()).await
            }
            _ => {
                self.limited(async {
                    let transaction = self.outbox.begin().await?;
                    self.handle_and_commit(transaction, events).await
                })
                .await
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
        let runs = runs(&fresh, |event: &Event<'_>| {
            (event.kind(), event.aggregate_id)
        });
        if let (Some(before), 2..) = (self.handlers.before, runs.len()) {
            let envelopes: Vec<_> = fresh.iter().map(|event| &event.envelope).collect();
            before(transaction, &envelopes).await?;
        }
        for mut run in runs {
            // Sorted, so that the row locks of two consumers cannot cross.
            run.sort_by_key(|event| event.aggregate_id);
            let outcome = handle_timed(transaction, &run).await?;
            for event in run {
                match outcome.waits_for(event.id()) {
                    None => handled.push(event),
                    // Parked at once and not at the end: a later run may release it.
                    Some(key) => self.park_waiting(transaction, event, key.clone()).await?,
                }
            }
        }
        Ok(handled)
    }
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
