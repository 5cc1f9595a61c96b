//! When a consumer looks after its queue.

use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// For so many ticks the crashed queue is not read after it could not be read.
const CRASHED_PAUSE: u32 = 30;

/// Ticks once a second, also while deliveries arrive without a pause.
pub(super) struct Watchdog {
    interval: Interval,
    pub(super) ticks: u32,
    paused_until: u32,
    /// The login may bind the queue, as far as is known.
    pub(super) may_bind: bool,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        let mut interval = interval(Duration::from_secs(1));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            ticks: 0,
            paused_until: 0,
            may_bind: true,
        }
    }

    pub(super) async fn tick(&mut self) {
        self.interval.tick().await;
        self.ticks = self.ticks.wrapping_add(1);
    }

    /// Leaves the crashed queue unread for a while.
    pub(super) fn pause(&mut self) {
        self.paused_until = self.ticks.wrapping_add(CRASHED_PAUSE);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.ticks < self.paused_until
    }
}
