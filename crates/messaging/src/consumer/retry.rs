//! Retries parked events: those that are due, and those that were just released.

use super::{
    Consumer, DatabaseUnavailable,
    dispatch::{Dispatcher, Reading},
    handle::{Event, count_handled, handle_timed, report_duplicate},
    park::no_handler,
};
use crate::{
    Failure, Transaction,
    failure::{Recovery, chain},
    inbox,
    parked::{self, Disposition, Due},
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
        let mut claimed = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.dispatcher.outbox.released() => {}
                () = tokio::time::sleep(RETRY_EVERY) => {}
            }
            loop {
                match self.dispatcher.retry_due(&mut claimed).await {
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
    /// Retries a batch of parked events that are due, and returns how many they were. `claimed` holds those that an
    /// outage of the database kept from being tried: their claim is undone first, so that it costs no attempt.
    async fn retry_due(&self, claimed: &mut Vec<Due>) -> Result<usize, DatabaseUnavailable> {
        let claim = self.limited(async {
            let mut connection = self.outbox.pool().acquire().await?;
            if !claimed.is_empty() {
                parked::give_back(&mut connection, claimed).await?;
                claimed.clear();
            }
            Ok(parked::claim_due(&mut connection, self.queue.name, RETRY_BATCH as i64).await?)
        });
        let due = claim.await.map_err(DatabaseUnavailable)?;
        let count = due.len();
        let mut due = due.into_iter();
        while let Some(event) = due.next() {
            if let Err(unavailable) = self.retry(&event).await {
                claimed.push(event);
                claimed.extend(due);
                return Err(unavailable);
            }
        }
        Ok(count)
    }

    async fn retry(&self, due: &Due) -> Result<(), DatabaseUnavailable> {
        let Some(mut disposition) = self.try_again(due).await? else {
            return Ok(());
        };
        let postponing = self.limited(async {
            let mut transaction = self.outbox.begin().await?;
            parked::postpone(&mut transaction, due, &disposition).await?;
            let is_dead = disposition.pause.is_none();
            let erased = is_dead && parked::blank_if_erased(&mut transaction, due.event_id).await?;
            transaction.commit().await?;
            Ok(erased)
        });
        match postponing.await {
            Ok(true) => disposition = Disposition::erased(),
            Ok(false) => {}
            // Its claim ends by itself. The other events must not wait for it.
            Err(failure) if failure.blames_event() => {
                let cause = chain(&failure);
                tracing::error!(event_id = %due.event_id, "A failed try cannot be recorded: {cause}");
                return Ok(());
            }
            Err(failure) => return Err(DatabaseUnavailable(failure)),
        }
        // That an event still waits, or is still slow, was said when it was parked.
        if disposition.pause.is_none() || disposition.kind != due.kind {
            span::of_ids(due.event_id, due.correlation_id, &due.routing_key)
                .in_scope(|| self.report_parked(due.event_id, &due.routing_key, &disposition));
        }
        Ok(())
    }

    /// Tries an event once more. `None`: it is handled.
    async fn try_again(&self, due: &Due) -> Result<Option<Disposition>, DatabaseUnavailable> {
        if let Some(exhausted) = Disposition::exhausted(due.tries.attempts) {
            return Ok(Some(exhausted));
        }
        let raw = due.raw();
        let event = match self.read(&raw) {
            Ok(Reading::Event(event)) => Event {
                confirmed: due.confirmed,
                ..event
            },
            Ok(Reading::NoHandler(_)) => return Ok(Some(no_handler())),
            Err(refused) => return Ok(Some(refused.disposition)),
        };
        let handling = self.limited(self.handle_parked(&event, due.event_id));
        match handling.instrument(event.span.clone()).await {
            Ok(Retried::Handled | Retried::AlreadyHandled) => Ok(None),
            Ok(Retried::Waits(key)) => Ok(Some(Disposition::waits(key, due.tries.age))),
            Err(failure) if failure.recovery() == Recovery::Pause => {
                Err(DatabaseUnavailable(failure))
            }
            Err(failure) => Ok(Some(Disposition::of(&failure, due.tries))),
        }
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
