//! How the end of a session is logged. At a start of the whole system the broker listens later than the consumers, which
//! is no loss.

use crate::broker::BrokerError;
use std::time::Duration;
use tokio::time::Instant;

/// How long a broker that starts may take until it listens.
const START: Duration = Duration::from_secs(30);

/// What a consumer knows about its subscriptions.
pub(super) struct Losses {
    began: Instant,
    was_subscribed: bool,
    is_announced: bool,
}

/// What is logged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The consumer waits for a broker that has not listened yet.
    Waiting,
    /// The subscription is lost, or there is a reason why there is none.
    Lost,
    /// Nothing new.
    None,
}

impl Losses {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            was_subscribed: false,
            is_announced: false,
        }
    }

    /// Notes a subscription.
    pub(super) fn subscribed(&mut self) {
        self.was_subscribed = true;
    }

    /// Returns the line for the end of a session.
    pub(super) fn line(&mut self, error: &BrokerError) -> Line {
        let may_start = !self.was_subscribed && self.began.elapsed() < START;
        if !(may_start && error.is_unreachable()) {
            return Line::Lost;
        }
        match std::mem::replace(&mut self.is_announced, true) {
            true => Line::None,
            false => Line::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn refused() -> BrokerError {
        BrokerError::Unreachable(io::ErrorKind::ConnectionRefused.into())
    }

    #[test]
    fn a_broker_that_starts_is_no_loss_until_it_takes_too_long() {
        let mut losses = Losses::new();
        assert_eq!(losses.line(&refused()), Line::Waiting);
        assert_eq!(losses.line(&refused()), Line::None);
        assert_eq!(losses.line(&BrokerError::Closed), Line::Lost);
        losses.began -= START;
        assert_eq!(losses.line(&refused()), Line::Lost);
    }

    #[test]
    fn a_subscription_that_is_lost_is_a_loss_at_once() {
        let mut losses = Losses::new();
        losses.subscribed();
        assert_eq!(losses.line(&refused()), Line::Lost);
    }
}
