//! Parks events that were not handled: each becomes a row with its reason.

use super::{
    DatabaseUnavailable,
    dispatch::{Dispatcher, Event},
};
use crate::{
    Failure, Transaction, inbox,
    parked::{self, Disposition, Origin},
    span,
};
use events::{EventId, RawMessage, WaitsFor};

impl Dispatcher {
    /// Parks an event whose handler failed. The inbox records it, because the row now owns it.
    pub(super) async fn park(
        &self,
        event: &Event<'_>,
        failure: &Failure,
    ) -> Result<(), DatabaseUnavailable> {
        let disposition = Disposition::of(failure, 1);
        let meta = &event.envelope.meta;
        let mut transaction = self.outbox.begin().await?;
        inbox::first_time(&mut transaction, &[meta]).await?;
        parked::park(
            &mut transaction,
            meta.event_id,
            &event.raw,
            self.origin(event),
            &disposition,
        )
        .await?;
        transaction.commit().await?;
        event
            .span
            .in_scope(|| self.report_parked(meta.event_id, &meta.routing_key, &disposition));
        Ok(())
    }

    /// Parks an event that waits for something, in the transaction that recorded it in the inbox.
    pub(super) async fn park_waiting(
        &self,
        transaction: &mut Transaction,
        event: &Event<'_>,
        key: WaitsFor,
    ) -> sqlx::Result<()> {
        let disposition = Disposition::waits(key, true);
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
        transaction.after_commit_in(event.span.clone(), move || {
            dispatcher.report_parked(event_id, &routing_key, &disposition);
        });
        Ok(())
    }

    /// The origin of an event that the inbox has recorded.
    pub(super) fn origin(&self, event: &Event<'_>) -> Origin<'static> {
        Origin {
            queue: self.queue.name,
            correlation_id: Some(event.envelope.meta.correlation_id),
            in_inbox: true,
        }
    }

    /// Parks a message that can never be handled. The inbox does not record it: an unreadable message must not
    /// keep a sound one with the same id away.
    pub(super) async fn refuse(
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
        span::of_ids(event_id, None, raw.routing_key)
            .in_scope(|| self.report_parked(event_id, raw.routing_key, disposition));
        Ok(())
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
        if let Some(key) = &disposition.waits_for {
            tracing::info!("Event parked; it waits for {key}");
        } else if disposition.pause.is_some() {
            tracing::warn!(kind, "Event parked; it will be tried again");
        } else {
            tracing::error!(
                kind,
                "Event parked as dead; try: ./medtrack dead show {event_id}"
            );
        }
    }
}
