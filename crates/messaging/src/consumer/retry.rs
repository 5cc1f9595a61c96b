//! Retries parked events: those that are due, and those that were just released.

use super::{
    Consumer, DatabaseUnavailable,
    dispatch::{Dispatcher, Event, count_handled, handle_timed, report_duplicate},
};
use crate::{
    Failure, Transaction,
    failure::Recovery,
    inbox,
    parked::{self, Disposition},
    span,
};
use events::{EventId, WaitsFor};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// How often the table is searched for due events, besides when one is released.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// How many events are claimed at once.
const RETRY_BATCH: usize = 16;

/// The result of one more try of a parked event.
enum Retried {
    Handled,
    /// Another process, or another copy of the event, was faster.
    AlreadyHandled,
    Waits(WaitsFor),
}

impl Consumer {
    /// Retries parked events until `stop`.
    pub(super) async fn retry_parked(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.dispatcher.outbox.released() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
            loop {
                match self.dispatcher.retry_due().await {
                    Ok(tried) if tried == RETRY_BATCH && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(unavailable) => {
                        tracing::warn!(
                            "Parked events are not retried until the database answers: {}",
                            unavailable.cause()
                        );
                        break;
                    }
                }
            }
        }
    }
}

impl Dispatcher {
    /// Retries a batch of parked events that are due, and returns how many they were.
    async fn retry_due(&self) -> Result<usize, DatabaseUnavailable> {
        let mut connection = self.outbox.pool().acquire().await?;
        let due = parked::claim_due(&mut connection, self.queue.name, RETRY_BATCH as i64).await?;
        drop(connection);
        for event in &due {
            self.retry(event).await?;
        }
        Ok(due.len())
    }

    async fn retry(&self, due: &parked::Due) -> Result<(), DatabaseUnavailable> {
        let raw = due.raw();
        let (disposition, attempts) = match self.read(&raw) {
            Ok(Some(mut event)) => {
                event.confirmed = due.confirmed;
                let handling = self.handle_parked(&event, due.event_id);
                match handling.instrument(event.span.clone()).await {
                    Ok(Retried::Handled | Retried::AlreadyHandled) => return Ok(()),
                    // To wait for another event is no failed attempt.
                    Ok(Retried::Waits(key)) => (Disposition::waits(key, false), 0),
                    Err(failure) if failure.recovery() == Recovery::Pause => {
                        return Err(DatabaseUnavailable(failure));
                    }
                    Err(failure) => (Disposition::of(&failure, due.attempts), due.attempts),
                }
            }
            Ok(None) => {
                let reason = "this service has no handler for the routing key";
                (Disposition::dead("no_handler", reason), due.attempts)
            }
            Err(refused) => (refused.disposition, due.attempts),
        };
        let mut connection = self.outbox.pool().acquire().await?;
        parked::postpone(&mut connection, due, attempts, &disposition).await?;
        span::of_ids(due.event_id, due.correlation_id, &due.routing_key)
            .in_scope(|| self.report_parked(due.event_id, &due.routing_key, &disposition));
        Ok(())
    }

    /// Handles a parked event and deletes its row, in one transaction.
    async fn handle_parked(
        &self,
        event: &Event<'_>,
        parked_id: EventId,
    ) -> Result<Retried, Failure> {
        let mut transaction = self.outbox.begin_for_one_event().await?;
        let retried = self
            .handle_parked_in(&mut transaction, event, parked_id)
            .await;
        match &retried {
            Ok(Retried::Handled) => {
                transaction.commit().await?;
                count_handled(&event.envelope);
            }
            Ok(Retried::AlreadyHandled) => transaction.commit().await?,
            Ok(Retried::Waits(_)) | Err(_) => {
                let _ = transaction.rollback().await;
            }
        }
        retried
    }

    async fn handle_parked_in(
        &self,
        transaction: &mut Transaction,
        event: &Event<'_>,
        parked_id: EventId,
    ) -> Result<Retried, Failure> {
        let Some(in_inbox) = parked::take(transaction, parked_id).await? else {
            return Ok(Retried::AlreadyHandled);
        };
        let meta = &event.envelope.meta;
        if !in_inbox && inbox::first_time(transaction, &[meta]).await?.is_empty() {
            report_duplicate(event);
            return Ok(Retried::AlreadyHandled);
        }
        let outcome = handle_timed(transaction, &[event]).await?;
        let waits_for = outcome.waits_for(event.id()).cloned();
        Ok(waits_for.map_or(Retried::Handled, Retried::Waits))
    }
}
