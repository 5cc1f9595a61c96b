//! Waiting for a condition, with a deadline.

use std::{panic::Location, time::Duration};
use tokio::time::{Instant, sleep};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a look found: `Some` or `true` ends the waiting.
pub trait Finding {
    /// What is handed out in the end.
    type Value;

    /// `None` to look again.
    fn into_value(self) -> Option<Self::Value>;
}

impl<T> Finding for Option<T> {
    type Value = T;

    fn into_value(self) -> Option<T> {
        self
    }
}

impl Finding for bool {
    type Value = ();

    fn into_value(self) -> Option<()> {
        self.then_some(())
    }
}

/// Looks every 10 ms until there is something to find.
///
/// # Panics
/// With `what` and the place of the call, when the deadline passes.
#[track_caller]
pub fn eventually<F: Finding>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> F,
) -> impl Future<Output = F::Value> {
    let caller = Location::caller();
    async move {
        let end = Instant::now() + deadline;
        loop {
            if let Some(value) = look().await.into_value() {
                return value;
            }
            assert!(
                Instant::now() < end,
                "not within {deadline:?}: {what} ({caller})"
            );
            sleep(LOOK_EVERY).await;
        }
    }
}
