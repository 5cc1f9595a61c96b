//! The pause between two tries of something that is expected to work again.

use rand::RngExt as _;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// No pause before the first try, then 0.2 s, doubled up to 2 s. Each pause is shortened at random by up to a
/// fifth, so that many processes do not try at the same moment. It never gives up.
#[derive(Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// Begins again without a pause.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// Waits before the next try, or until the process stops.
    pub async fn wait(&mut self, stopping: &CancellationToken) {
        let pause = self.next();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn next(&mut self) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        match tries {
            0 => Duration::ZERO,
            tries => Duration::from_millis(200 << (tries - 1).min(4))
                .min(Duration::from_secs(2))
                .mul_f64(rand::rng().random_range(0.8..=1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_at_once_and_the_pause_never_passes_two_seconds() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), Duration::ZERO);
        let pauses: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!(pauses[0] >= Duration::from_millis(160) && pauses[0] <= Duration::from_millis(200));
        assert!(
            pauses[10..]
                .iter()
                .all(|p| *p >= Duration::from_millis(1600) && *p <= Duration::from_secs(2))
        );
        backoff.reset();
        assert_eq!(backoff.next(), Duration::ZERO);
    }
}
