//! The cause of an event, and the trace that it continues.

use events::{EventId, Meta};
use tracing::Span;
use uuid::Uuid;

/// The cause of an event: a request or another event. What is logged about the effect is logged in the span of its
/// cause.
#[derive(Clone, Debug)]
pub struct Cause {
    pub(crate) correlation_id: Uuid,
    pub(crate) event_id: Option<EventId>,
    pub(crate) traceparent: Option<String>,
    /// The event announces a state again.
    pub(crate) is_announcement: bool,
    pub(crate) span: Span,
}

impl Cause {
    /// The root of a chain: a person's request, whose id becomes the correlation id, and whose span is the current one.
    pub fn root(correlation_id: Uuid) -> Self {
        Self {
            correlation_id,
            event_id: None,
            traceparent: None,
            is_announcement: false,
            span: Span::current(),
        }
    }

    /// The root of the chain of an announcement.
    pub(crate) fn announcement(span: Span) -> Self {
        Self {
            correlation_id: Uuid::now_v7(),
            event_id: None,
            traceparent: None,
            is_announcement: true,
            span,
        }
    }

    /// Continues the trace of the request. `traceparent` is well-formed (W3C Trace Context).
    #[must_use]
    pub fn with_traceparent(self, traceparent: Option<String>) -> Self {
        Self {
            traceparent,
            ..self
        }
    }

    /// An event that leads to another.
    pub(crate) fn event(meta: &Meta, span: Span) -> Self {
        Self {
            correlation_id: meta.correlation_id,
            event_id: Some(meta.event_id),
            traceparent: meta.traceparent.clone(),
            is_announcement: false,
            span,
        }
    }
}
