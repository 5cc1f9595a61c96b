//! The span `event`: it carries the ids of one event, so that no log line repeats them.

use events::{EventId, Meta};
use tracing::Span;
use uuid::Uuid;

/// Makes the span of an event. Its level is the highest, so that a filter such as `warn` keeps the ids too.
pub(crate) fn of_ids(event_id: EventId, correlation_id: Option<Uuid>, routing_key: &str) -> Span {
    tracing::error_span!(
        "event",
        %event_id,
        correlation_id = correlation_id.map(tracing::field::display),
        routing_key
    )
}

/// Makes the span of an event that was received.
pub(crate) fn of(meta: &Meta) -> Span {
    of_ids(meta.event_id, Some(meta.correlation_id), &meta.routing_key)
}
