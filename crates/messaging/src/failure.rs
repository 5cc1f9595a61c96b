//! Why an event was not handled, and what that means for it.

use crate::EnqueueError;
use std::{error::Error, fmt::Write as _};

/// A handler's verdict on an event that it could not handle.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The event can never be handled: it is parked as dead, with this reason.
    #[error("rejected: {0}")]
    Reject(String),
    /// The database refused; what that means depends on the code.
    #[error("the database refused")]
    Database(#[from] sqlx::Error),
    /// The event that follows from this one cannot be published.
    #[error("the event that follows cannot be published")]
    Enqueue(#[source] EnqueueError),
    /// The handler panicked.
    #[error("the handler panicked: {0}")]
    Panic(String),
}

impl From<EnqueueError> for Failure {
    fn from(error: EnqueueError) -> Self {
        match error {
            EnqueueError::Database(error) => Failure::Database(error),
            other => Failure::Enqueue(other),
        }
    }
}

/// What to do about a [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Recovery {
    /// The database is away: hold everything; nobody is to blame.
    Pause,
    /// Two transactions met (class 40): the same work again.
    RetryNow,
    /// May go away by itself: a few tries, further and further apart.
    RetryLater,
    /// A person must look.
    DeadLetter,
}

impl Failure {
    pub(crate) fn recovery(&self) -> Recovery {
        match self {
            Failure::Reject(_) => Recovery::DeadLetter,
            Failure::Database(error) => database_recovery(error),
            Failure::Enqueue(_) | Failure::Panic(_) => Recovery::RetryLater,
        }
    }

    /// One word for logs, metrics and for grouping parked events.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Failure::Reject(_) => "rejected",
            Failure::Database(_) => "database",
            Failure::Enqueue(_) => "enqueue",
            Failure::Panic(_) => "panic",
        }
    }
}

/// Classes of SQLSTATE: PostgreSQL's documentation, appendix A.
fn database_recovery(error: &sqlx::Error) -> Recovery {
    let code = match error {
        sqlx::Error::Database(error) => error.code().unwrap_or_default(),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::Protocol(_) => return Recovery::Pause,
        _ => return Recovery::RetryLater,
    };
    match code.as_ref() {
        code if ["08", "53", "57P"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Recovery::Pause
        }
        // idle_in_transaction_session_timeout and transaction_timeout end the session.
        "25P03" | "25P04" => Recovery::Pause,
        code if code.starts_with("40") => Recovery::RetryNow,
        // The event's own data cannot be stored, now or ever.
        code if code.starts_with("22") => Recovery::DeadLetter,
        _ => Recovery::RetryLater,
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let shown = error.to_string();
        if !text.ends_with(&shown) {
            write!(text, ": {shown}").expect("writing to a string cannot fail");
        }
        cause = error.source();
    }
    text
}
