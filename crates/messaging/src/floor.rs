//! A lower bound on the age of the rows of the outbox that are not published.

use chrono::{DateTime, Utc};
use std::time::Duration;
use tokio::time::Instant;

/// How often the whole table is looked at. It finds the row of a transaction that took longer than
/// [`Floor::MARGIN_SECONDS`] and whose process ended with its commit.
const LOOK_AT_ALL_EVERY: Duration = Duration::from_secs(3600);
/// How often the bound is raised.
const RAISE_EVERY: Duration = Duration::from_secs(5);

/// No row that is not published is older. While another session holds an old snapshot, the index keeps the entries of
/// all rows that were published since; without this bound every query would read them all.
#[derive(Debug)]
pub(crate) struct Floor {
    created_at: Option<DateTime<Utc>>,
    raised: Instant,
    looked_at_all: Instant,
}

impl Floor {
    /// A row may be committed so much later than its `created_at`, the begin of its transaction.
    pub(crate) const MARGIN_SECONDS: f64 = 10.0;

    /// A bound that is not known yet.
    pub(crate) fn unknown() -> Self {
        let now = Instant::now();
        Self {
            created_at: None,
            raised: now,
            looked_at_all: now,
        }
    }

    /// The bound; `None` when it is not known.
    pub(crate) fn created_at(&self) -> Option<DateTime<Utc>> {
        self.created_at
    }

    /// Whether it is time to look for the oldest row. From time to time the bound is forgotten before.
    pub(crate) fn is_due(&mut self) -> bool {
        if self.looked_at_all.elapsed() >= LOOK_AT_ALL_EVERY {
            *self = Self::unknown();
        }
        self.created_at.is_none() || self.raised.elapsed() >= RAISE_EVERY
    }

    /// Sets the bound to what the oldest row allows.
    pub(crate) fn raise(&mut self, to: DateTime<Utc>) {
        self.created_at = Some(to);
        self.raised = Instant::now();
    }
}
