//! Parks events that were not handled: each becomes a row with its reason.

use super::{
    DatabaseUnavailable, NotParked,
    dispatch::Dispatcher,
    handle::{Event, report_duplicate},
};
use crate::{
    Failure, Transaction,
    failure::chain,
    inbox,
    parked::{self, Disposition, NewParked, Origin},
    span,
};
use events::{EventId, Meta, RawMessage, WaitsFor};
use std::time::Duration;

/// What became of a message that was to be parked.
enum Stored {
    /// Its row has this id.
    Parked(EventId),
    /// Its row has this id and no body: it names somebody who was erased.
    Erased(EventId),
    /// The event was handled or parked before.
    Copy,
}

impl Dispatcher {
    /// Parks an event. The inbox records it, because the row now owns it.
    pub(super) async fn park_event(
        &self,
        event: &Event<'_>,
        disposition: Disposition,
    ) -> Result<(), NotParked> {
        let meta = &event.envelope.meta;
        let parked = self.new_parked(&event.raw, meta, disposition);
        let stored = self.store(&parked, Some(meta)).await?;
        match stored {
            Stored::Copy => report_duplicate(event),
            stored => event.span.in_scope(|| self.report(&stored, &parked)),
        }
        Ok(())
    }

    /// Parks an event that waits for something, in the transaction that recorded it in the inbox.
    pub(super) async fn park_waiting(
        &self,
        transaction: &mut Transaction,
        event: &Event<'_>,
        key: WaitsFor,
    ) -> sqlx::Result<()> {
        let disposition = Disposition::waits(key, Duration::ZERO);
        let meta = &event.envelope.meta;
        let parked = self.new_parked(&event.raw, meta, disposition.clone());
        parked::park_owned(transaction, &parked).await?;
        let (dispatcher, event_id, routing_key) =
            (self.clone(), meta.event_id, meta.routing_key.clone());
        transaction.after_commit_in(event.span.clone(), move || {
            dispatcher.report_parked(event_id, &routing_key, &disposition);
        });
        Ok(())
    }

    /// Parks a message that can never be handled. The inbox does not record it: an unreadable message must not
    /// keep a sound one with the same id away.
    pub(super) async fn refuse(
        &self,
        event_id: EventId,
        raw: &RawMessage<'_>,
        disposition: Disposition,
    ) -> Result<(), NotParked> {
        let parked = NewParked {
            event_id,
            raw: *raw,
            origin: Origin::of_unread(self.queue.name, raw),
            disposition,
        };
        let stored = self.store(&parked, None).await?;
        span::of_ids(event_id, None, raw.routing_key).in_scope(|| self.report(&stored, &parked));
        Ok(())
    }

    /// Keeps an event that has no handler, when there is room. It is counted in any case.
    pub(super) async fn keep_unknown(
        &self,
        raw: &RawMessage<'_>,
        meta: &Meta,
    ) -> Result<(), DatabaseUnavailable> {
        metrics::counter!("medtrack_events_without_handler_total").increment(1);
        span::of(meta)
            .in_scope(|| tracing::warn!("No handler for routing key: {}", raw.routing_key));
        let parked = self.new_parked(raw, meta, no_handler());
        if !self.room.may_hold(&parked) {
            return Ok(());
        }
        let kept = self.limited(async {
            let mut transaction = self.outbox.begin().await?;
            let kept = parked::park_unknown(&mut transaction, &parked).await?;
            parked::blank_if_erased(&mut transaction, meta.event_id).await?;
            transaction.commit().await?;
            Ok(kept)
        });
        match kept.await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.room.is_full(&parked);
                Ok(())
            }
            // It is kept to be useful, not because it must be handled.
            Err(failure) if failure.blames_event() => {
                tracing::error!(
                    "An event without a handler cannot be kept: {}",
                    chain(&failure)
                );
                Ok(())
            }
            Err(failure) => Err(DatabaseUnavailable(failure)),
        }
    }

    fn new_parked<'a>(
        &self,
        raw: &RawMessage<'a>,
        meta: &Meta,
        disposition: Disposition,
    ) -> NewParked<'a> {
        NewParked {
            event_id: meta.event_id,
            raw: *raw,
            origin: Origin::of(self.queue.name, meta),
            disposition,
        }
    }

    /// Stores a message; with `meta` the inbox records the event in the same transaction. A message that cannot be stored
    /// is stored without its body, and otherwise refused: it must not hold up its queue.
    async fn store(
        &self,
        parked: &NewParked<'_>,
        meta: Option<&Meta>,
    ) -> Result<Stored, NotParked> {
        let stored = match self.try_store(parked, meta).await {
            Err(failure) if failure.blames_event() => {
                let mut without_body = parked.clone();
                without_body.raw.body = b"";
                without_body.disposition.pause = None;
                without_body.disposition.reason = format!(
                    "{}; the body is lost, because it cannot be stored: {}",
                    parked.disposition.kind,
                    chain(&failure)
                );
                self.try_store(&without_body, meta).await
            }
            stored => stored,
        };
        stored.map_err(|failure| {
            if !failure.blames_event() {
                return DatabaseUnavailable(failure).into();
            }
            let (crashed, cause) = (self.queue.crashed, chain(&failure));
            span::of_ids(parked.event_id, None, parked.raw.routing_key).in_scope(|| {
                tracing::error!(
                    "Event cannot be parked: {cause}; it is kept in {crashed}; try: ./medtrack doctor"
                );
            });
            NotParked::Refused
        })
    }

    async fn try_store(
        &self,
        parked: &NewParked<'_>,
        meta: Option<&Meta>,
    ) -> Result<Stored, Failure> {
        self.limited(async {
            let mut transaction = self.outbox.begin().await?;
            let event_id = match meta {
                Some(meta) => {
                    let first_time = inbox::first_time(&mut transaction, &[meta]).await?;
                    if first_time.is_empty() {
                        parked::count_copy(&mut transaction, meta.event_id).await?;
                        transaction.commit().await?;
                        return Ok(Stored::Copy);
                    }
                    parked::park_owned(&mut transaction, parked).await?;
                    parked.event_id
                }
                None => parked::park_refused(&mut transaction, parked).await?,
            };
            let erased = parked::blank_if_erased(&mut transaction, event_id).await?;
            transaction.commit().await?;
            Ok(match erased {
                true => Stored::Erased(event_id),
                false => Stored::Parked(event_id),
            })
        })
        .await
    }

    fn report(&self, stored: &Stored, parked: &NewParked<'_>) {
        let routing_key = parked.raw.routing_key;
        match stored {
            Stored::Parked(id) => self.report_parked(*id, routing_key, &parked.disposition),
            Stored::Erased(id) => self.report_parked(*id, routing_key, &Disposition::erased()),
            Stored::Copy => {}
        }
    }

    /// Counts and logs a parked event, in its span. The reason stays in the table: it may quote the message.
    pub(super) fn report_parked(
        &self,
        event_id: EventId,
        routing_key: &str,
        disposition: &Disposition,
    ) {
        let kind = disposition.kind;
        // A publisher may invent keys without end: only the keys of handlers become labels.
        let label = if self.handlers.get(routing_key).is_some() {
            routing_key
        } else {
            "other"
        };
        let labels = [
            ("routing_key", label.to_owned()),
            ("state", disposition.state().to_owned()),
            ("kind", kind.to_owned()),
        ];
        metrics::counter!("medtrack_events_parked_total", &labels).increment(1);
        if let (Some(key), Some(_)) = (&disposition.waits_for, disposition.pause) {
            tracing::info!("Event parked; it waits for {key}");
        } else if disposition.pause.is_some() {
            tracing::warn!(kind, "Event parked; it will be tried again");
        } else if disposition.is_erased() {
            tracing::info!("Event parked without its body: what it is about has been erased");
        } else {
            tracing::error!(
                kind,
                "Event parked as dead; try: ./medtrack dead show {event_id}"
            );
        }
    }
}

/// The disposition of an event that has no handler in this service.
pub(super) fn no_handler() -> Disposition {
    let reason =
        "this service has no handler for the routing key; upgrade the service, then replay";
    Disposition::dead("unknown_key", reason, 1)
}
