//! Settling deliveries: after it, each is handled, known already, parked, or nobody's business.

use crate::{
    Failure, Outbox, Transaction,
    failure::{Recovery, chain},
    handlers::{Handlers, Route},
    inbox,
    parked::{self, Disposition, Origin},
};
use chrono::Utc;
use events::{Envelope, EventId, RawMessage, legacy, topology::Queue};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};
use uuid::Uuid;

/// How often transactions that met each other are tried again before the batch is taken apart.
const CONFLICTS: u32 = 3;

/// Settles what arrives on one queue with the service's handlers.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    pub(crate) queue: &'static Queue,
    pub(crate) outbox: Outbox,
    pub(crate) handlers: Handlers,
}

/// The database is away: nothing can be settled, nobody is to blame.
#[derive(Debug, thiserror::Error)]
#[error("the database does not answer")]
pub(crate) struct DatabaseUnavailable(#[source] pub(crate) Failure);

impl DatabaseUnavailable {
    pub(crate) fn cause(&self) -> String {
        chain(&self.0)
    }
}

/// A readable event with its handler.
struct Event<'a> {
    raw: RawMessage<'a>,
    envelope: Envelope<'a>,
    aggregate_id: Uuid,
    route: &'a Arc<dyn Route>,
}

/// What became of a parked event that was tried again.
enum Retried {
    Handled,
    /// Another process, or another copy, was faster.
    Known,
    Waits(String),
}

impl Dispatcher {
    /// Settles deliveries, in the order of their raw. When it returns `Ok`, all of them may be acknowledged.
    /// It may be called again with the same deliveries after it failed.
    pub(crate) async fn settle(
        &self,
        raw_messages: &[RawMessage<'_>],
    ) -> Result<(), DatabaseUnavailable> {
        let mut events = Vec::with_capacity(raw_messages.len());
        for raw in raw_messages {
            match self.read(raw) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => {}
                Err((id, disposition)) => self.refuse(id, raw, &disposition).await.map_err(away)?,
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
                    conflicts += 1
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

    /// Finds the handler and checks the payload. `None` is nobody's business; an error is never readable.
    fn read<'a>(
        &'a self,
        raw: &RawMessage<'a>,
    ) -> Result<Option<Event<'a>>, (EventId, Disposition)> {
        let dead = |id: EventId, refusal: events::Refusal| {
            (id, Disposition::dead(refusal.kind, refusal.reason))
        };
        let decoded = match legacy::is_foreign(raw.exchange) {
            true => legacy::decode(raw),
            false => Envelope::decode(raw),
        };
        let envelope = decoded.map_err(|refusal| dead(raw.fallback_id(), refusal))?;
        let Some(route) = self.handlers.get(&envelope.meta.routing_key) else {
            metrics::counter!("medtrack_events_without_handler_total").increment(1);
            tracing::warn!(event_id = %envelope.meta.event_id, "No handler for routing key: {}", raw.routing_key);
            return Ok(None);
        };
        let aggregate_id = route
            .check(&envelope)
            .map_err(|refusal| dead(envelope.meta.event_id, refusal))?;
        Ok(Some(Event {
            raw: *raw,
            envelope,
            aggregate_id,
            route,
        }))
    }

    /// Handles events in one transaction.
    async fn handle(&self, events: &[&Event<'_>]) -> Result<(), Failure> {
        let mut transaction = match events {
            [_] => self.outbox.begin_for_one_event().await?,
            _ => self.outbox.begin().await?,
        };
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
            // Removing also settles two copies in one batch.
            if first_time.remove(&event.envelope.meta.event_id) {
                fresh.push(*event);
            } else {
                metrics::counter!("medtrack_events_duplicate_total").increment(1);
                tracing::info!(event_id = %event.envelope.meta.event_id, "Event already handled");
            }
        }
        for run in runs(&fresh) {
            let mut envelopes: Vec<_> = run
                .iter()
                .map(|event| (event.aggregate_id, &event.envelope))
                .collect();
            // Sorted, so that the row locks of two consumers cannot cross.
            envelopes.sort_by_key(|(aggregate_id, _)| *aggregate_id);
            let envelopes: Vec<_> = envelopes
                .into_iter()
                .map(|(_, envelope)| envelope)
                .collect();
            handle_timed(run[0].route, transaction, &envelopes).await?;
            let waiting: HashMap<_, _> = transaction.take_waiting().into_iter().collect();
            for event in run {
                match waiting.get(&event.envelope.meta.event_id) {
                    None => handled.push(*event),
                    // Parked at once, and not at the end: a later run may release it.
                    Some(what) => self.park_waiting(transaction, event, what.clone()).await?,
                }
            }
        }
        Ok(handled)
    }

    async fn park_waiting(
        &self,
        transaction: &mut Transaction,
        event: &Event<'_>,
        what: String,
    ) -> sqlx::Result<()> {
        let disposition = Disposition::waits(what, true);
        let meta = &event.envelope.meta;
        parked::park(
            transaction,
            meta.event_id,
            &event.raw,
            self.origin(event),
            &disposition,
        )
        .await?;
        let (dispatcher, event_id, routing_key) =
            (self.clone(), meta.event_id, meta.routing_key.clone());
        transaction
            .after_commit(move || dispatcher.report_parked(event_id, &routing_key, &disposition));
        Ok(())
    }

    /// Of an event that the inbox has taken note of.
    fn origin(&self, event: &Event<'_>) -> Origin<'static> {
        let correlation_id = Some(event.envelope.meta.correlation_id);
        Origin {
            queue: self.queue.name,
            correlation_id,
            in_inbox: true,
        }
    }

    /// Parks an event that its handler could not handle. The inbox takes note of it: the row owns it now.
    async fn park(&self, event: &Event<'_>, failure: &Failure) -> Result<(), DatabaseUnavailable> {
        let disposition = Disposition::of(failure, 1);
        self.write_parked(event, &disposition).await.map_err(away)?;
        let meta = &event.envelope.meta;
        self.report_parked(meta.event_id, &meta.routing_key, &disposition);
        Ok(())
    }

    async fn write_parked(&self, event: &Event<'_>, disposition: &Disposition) -> sqlx::Result<()> {
        let meta = &event.envelope.meta;
        let mut transaction = self.outbox.begin().await?;
        inbox::first_time(&mut transaction, &[meta]).await?;
        parked::park(
            &mut transaction,
            meta.event_id,
            &event.raw,
            self.origin(event),
            disposition,
        )
        .await?;
        transaction.commit().await
    }

    /// Parks a message that can never be handled. The inbox takes no note: an unreadable message must not be
    /// able to keep a sound one with the same id away.
    pub(crate) async fn refuse(
        &self,
        event_id: EventId,
        raw: &RawMessage<'_>,
        disposition: &Disposition,
    ) -> sqlx::Result<()> {
        let mut transaction = self.outbox.begin().await?;
        let origin = Origin {
            queue: self.queue.name,
            correlation_id: None,
            in_inbox: false,
        };
        parked::park(&mut transaction, event_id, raw, origin, disposition).await?;
        transaction.commit().await?;
        self.report_parked(event_id, raw.routing_key, disposition);
        Ok(())
    }

    /// Tries parked events that are due, at most `limit`. Tells how many there were.
    pub(crate) async fn retry_due(&self, limit: i64) -> Result<usize, DatabaseUnavailable> {
        let mut connection = self.outbox.pool().acquire().await.map_err(away)?;
        let due = parked::claim_due(&mut connection, self.queue.name, limit)
            .await
            .map_err(away)?;
        drop(connection);
        for event in &due {
            self.retry(event).await?;
        }
        Ok(due.len())
    }

    async fn retry(&self, due: &parked::Due) -> Result<(), DatabaseUnavailable> {
        let raw = due.raw();
        let (disposition, attempts) = match self.read(&raw) {
            Ok(Some(event)) => match self.handle_parked(&event, due.event_id).await {
                Ok(None) => return Ok(()),
                // Waiting for another event is no failed attempt.
                Ok(Some(what)) => (Disposition::waits(what, false), 0),
                Err(failure) if failure.recovery() == Recovery::Pause => {
                    return Err(DatabaseUnavailable(failure));
                }
                Err(failure) => (Disposition::of(&failure, due.attempts), due.attempts),
            },
            Ok(None) => (
                Disposition::dead(
                    "no_handler",
                    "this service has no handler for the routing key",
                ),
                due.attempts,
            ),
            Err((_, disposition)) => (disposition, due.attempts),
        };
        let mut connection = self.outbox.pool().acquire().await.map_err(away)?;
        parked::postpone(&mut connection, due, attempts, &disposition)
            .await
            .map_err(away)?;
        self.report_parked(due.event_id, &due.routing_key, &disposition);
        Ok(())
    }

    /// Handles a parked event, and takes its row out. Tells what it waits for, if it still does.
    async fn handle_parked(
        &self,
        event: &Event<'_>,
        parked_id: EventId,
    ) -> Result<Option<String>, Failure> {
        let mut transaction = self.outbox.begin_for_one_event().await?;
        match self
            .handle_parked_in(&mut transaction, event, parked_id)
            .await
        {
            Ok(Retried::Handled) => {
                transaction.commit().await?;
                count_handled(&event.envelope);
                Ok(None)
            }
            Ok(Retried::Known) => transaction
                .commit()
                .await
                .map(|()| None)
                .map_err(Failure::from),
            Ok(Retried::Waits(what)) => {
                let _ = transaction.rollback().await;
                Ok(Some(what))
            }
            Err(failure) => {
                let _ = transaction.rollback().await;
                Err(failure)
            }
        }
    }

    async fn handle_parked_in(
        &self,
        transaction: &mut Transaction,
        event: &Event<'_>,
        parked_id: EventId,
    ) -> Result<Retried, Failure> {
        let Some(in_inbox) = parked::take(transaction, parked_id).await? else {
            return Ok(Retried::Known);
        };
        if !in_inbox
            && inbox::first_time(transaction, &[&event.envelope.meta])
                .await?
                .is_empty()
        {
            tracing::info!(event_id = %event.envelope.meta.event_id, "Event already handled");
            return Ok(Retried::Known);
        }
        handle_timed(event.route, transaction, &[&event.envelope]).await?;
        let waiting = transaction.take_waiting().pop();
        Ok(waiting.map_or(Retried::Handled, |(_, what)| Retried::Waits(what)))
    }

    /// Parks what the broker set aside because it had ended its consumer again and again, unless it was handled.
    pub(crate) async fn park_crashed(
        &self,
        raw: &RawMessage<'_>,
        returns: i64,
    ) -> Result<(), DatabaseUnavailable> {
        let reason = format!(
            "ended its consumer or the connection {returns} times; the body may be unreadable, or handling it deadly"
        );
        let disposition = Disposition::dead("crashed", reason);
        match self.read(raw) {
            Ok(Some(event)) => {
                let meta = &event.envelope.meta;
                let mut transaction = self.outbox.begin().await.map_err(away)?;
                if inbox::first_time(&mut transaction, &[meta])
                    .await
                    .map_err(away)?
                    .is_empty()
                {
                    return Ok(());
                }
                parked::park(
                    &mut transaction,
                    meta.event_id,
                    raw,
                    self.origin(&event),
                    &disposition,
                )
                .await
                .map_err(away)?;
                transaction.commit().await.map_err(away)?;
                self.report_parked(meta.event_id, raw.routing_key, &disposition);
                Ok(())
            }
            Ok(None) => self
                .refuse(raw.fallback_id(), raw, &disposition)
                .await
                .map_err(away),
            Err((event_id, refusal)) => {
                let disposition = Disposition {
                    reason: format!("{}: {}", disposition.reason, refusal.reason),
                    ..disposition
                };
                self.refuse(event_id, raw, &disposition).await.map_err(away)
            }
        }
    }

    /// The reason stays in the table: it may quote what was sent.
    fn report_parked(&self, event_id: EventId, routing_key: &str, disposition: &Disposition) {
        let (state, kind) = (disposition.state(), disposition.kind);
        // Anybody can make up a key: only the known ones get a series.
        let known = if self.handlers.get(routing_key).is_some() {
            routing_key
        } else {
            "other"
        };
        let labels = [
            ("routing_key", known.to_owned()),
            ("state", state.to_owned()),
            ("kind", kind.to_owned()),
        ];
        metrics::counter!("medtrack_events_parked_total", &labels).increment(1);
        if let Some(what) = &disposition.waits_for {
            tracing::info!(%event_id, routing_key, "Event parked; it waits for {what}");
        } else if disposition.pause.is_some() {
            tracing::warn!(%event_id, routing_key, kind, "Event parked, to be tried again");
        } else {
            tracing::error!(%event_id, routing_key, kind, "Event parked as dead; try: ./medtrack dead show {event_id}");
        }
    }
}

/// Splits a batch into stretches that one call may handle: one kind of event, no aggregate twice. Two versions
/// of one row in one statement would lose one, or fail.
fn runs<'s, 'e, 'a>(events: &'s [&'e Event<'a>]) -> Vec<&'s [&'e Event<'a>]> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut seen = HashSet::new();
    for (i, event) in events.iter().enumerate() {
        let same_kind = event.envelope.meta.routing_key == events[start].envelope.meta.routing_key;
        if !same_kind || !seen.insert(event.aggregate_id) {
            runs.push(&events[start..i]);
            start = i;
            seen = HashSet::from([event.aggregate_id]);
        }
    }
    if start < events.len() {
        runs.push(&events[start..]);
    }
    runs
}

async fn handle_timed(
    route: &Arc<dyn Route>,
    transaction: &mut Transaction,
    envelopes: &[&Envelope<'_>],
) -> Result<(), Failure> {
    let began = Instant::now();
    let handled = route.handle(transaction, envelopes).await;
    let each = began.elapsed().as_secs_f64() / envelopes.len() as f64;
    let routing_key = envelopes[0].meta.routing_key.clone();
    metrics::histogram!("medtrack_handler_seconds", "routing_key" => routing_key).record(each);
    handled
}

fn count_handled(envelope: &Envelope<'_>) {
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

fn away(error: sqlx::Error) -> DatabaseUnavailable {
    DatabaseUnavailable(Failure::Database(error))
}
