//! Deliveries that are held while the database is slow or locked.
//!
//! A time limit ended each of their tries, and no other event passed since. So the database is at fault, and not the
//! events: they are tried again without counting. As soon as another event passes, each has one more try, and those
//! that fail again are parked as slow.

use lapin::message::Delivery;
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How many of the held events are tried in one round. The next round begins with the others.
const PROBES: usize = 3;
/// The pause after a round, doubled after each one.
const SHORTEST: Duration = Duration::from_millis(250);
/// The longest pause. The tries of a round take up to a second each.
const LONGEST: Duration = Duration::from_secs(2);

/// The deliveries that are held, and the time of their next try.
#[derive(Debug)]
pub(super) struct Held {
    deliveries: VecDeque<Delivery>,
    pause: Duration,
    next: Instant,
}

impl Held {
    pub(super) fn new() -> Self {
        Self {
            deliveries: VecDeque::new(),
            pause: SHORTEST,
            next: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Holds a delivery. The first one begins with a short pause.
    pub(super) fn push(&mut self, delivery: Delivery) {
        if self.deliveries.is_empty() {
            self.pause = SHORTEST;
            self.next = Instant::now() + self.pause;
        }
        self.deliveries.push_back(delivery);
    }

    /// Resolves when the next round is due. Never while no delivery is held.
    pub(super) async fn due(&self) {
        if self.is_empty() {
            std::future::pending::<()>().await;
        }
        sleep_until(self.next).await;
    }

    /// Takes the deliveries to be tried in this round, and sets the time of the next one.
    pub(super) fn probes(&mut self) -> Vec<Delivery> {
        let count = PROBES.min(self.deliveries.len());
        self.pause = (self.pause * 2).min(LONGEST);
        self.deliveries.drain(..count).collect()
    }

    /// Begins the pause before the next round.
    pub(super) fn rest(&mut self) {
        self.next = Instant::now() + self.pause;
    }

    /// Takes all deliveries.
    pub(super) fn take(&mut self) -> Vec<Delivery> {
        self.deliveries.drain(..).collect()
    }
}
