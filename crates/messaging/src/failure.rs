//! Why an event was not handled, and what the consumer does about it.

use crate::EnqueueError;
use events::Refusal;
use service_kit::database::{Class, classify};
use std::{error::Error, fmt::Write as _};

/// Why a handler did not handle its events.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event can never be handled. It is parked as dead, with this reason.
    #[error("rejected: {0}")]
    Reject(String),
    /// The event can never be handled, for a reason that has a name of its own. It is parked as dead.
    #[error("{reason}")]
    Refused {
        /// One word, by which an operator groups parked events.
        kind: &'static str,
        /// For a person.
        reason: String,
    },
    /// A statement failed. The class of the error decides what follows.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
    /// The attempt took too long. Its connection is not used any more.
    #[error("the database did not answer within the time limit of an attempt")]
    NoAnswer,
    /// An event that follows from this one cannot be published.
    #[error("the event that follows cannot be published")]
    Enqueue(#[source] EnqueueError),
    /// The handler panicked.
    #[error("the handler panicked: {0}")]
    Panic(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused {
            kind: refusal.kind,
            reason: refusal.reason,
        }
    }
}

impl From<EnqueueError> for Failure {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Database(error) => Failure::Database(error),
            other => Failure::Enqueue(other),
        }
    }
}

/// What the consumer does about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recovery {
    /// The database is unavailable: hold all deliveries and blame no event.
    Pause,
    /// Two transactions were in each other's way: do the same work again at once.
    RetryNow,
    /// A time limit ended the work. The database is slow or locked, or the event is slow: whether other events pass
    /// tells which.
    Compare,
    /// The cause may disappear: try the event a few times, with growing pauses.
    RetryLater,
    /// A person must look at the event.
    DeadLetter,
}

impl Failure {
    pub(crate) fn recovery(&self) -> Recovery {
        match self {
            Failure::Reject(_) | Failure::Refused { .. } => Recovery::DeadLetter,
            Failure::NoAnswer => Recovery::Compare,
            Failure::Database(error) => match classify(error) {
                Class::Unavailable => Recovery::Pause,
                Class::Conflict => Recovery::RetryNow,
                Class::TimedOut => Recovery::Compare,
                Class::InvalidData => Recovery::DeadLetter,
                Class::Other => Recovery::RetryLater,
            },
            Failure::Enqueue(_) | Failure::Panic(_) => Recovery::RetryLater,
        }
    }

    /// Whether the event or its handler is at fault, and not the database as a whole.
    pub(crate) fn blames_event(&self) -> bool {
        matches!(self.recovery(), Recovery::RetryLater | Recovery::DeadLetter)
    }

    /// One word for logs and metrics, by which an operator also groups parked events.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Failure::Reject(_) => "rejected",
            Failure::Refused { kind, .. } => kind,
            Failure::Database(_) | Failure::NoAnswer => "database",
            Failure::Enqueue(_) => "enqueue",
            Failure::Panic(_) => "panic",
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.ends_with(&message) {
            write!(text, ": {message}").expect("writing to a string cannot fail");
        }
        cause = error.source();
    }
    text
}
