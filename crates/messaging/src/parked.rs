//! Parked events: the table of the events that were not handled, each with the reason.
//!
//! The consumer retries `waiting` events: after a pause that grows (a transient failure, five tries; a slow event, for a
//! day), or when the event arrives that they wait for. `dead` events need a person, who may make them
//! `discarded`. When the inbox holds the id of a
//! parked event, the row in this table owns the event: the inbox stops every other copy, and the transaction of the
//! effect deletes the row.
//!
//! - [`store`]: parks a message
//! - [`due`]: claims what is due, and records what became of it
//! - [`erasure`]: deletes bodies that name a person who was erased
//! - [`unknown`]: limits the events that have no handler
//! - [`age`]: deletes what is old
//!
//! Every function fails with the database's error.

mod age;
mod due;
mod erasure;
mod store;
mod unknown;

pub(crate) use age::purge;
pub(crate) use due::{Due, claim_due, give_back, postpone, release, take};
pub(crate) use erasure::{blank, blank_if_erased};
pub(crate) use store::{NewParked, Origin, count_copy, park_owned, park_refused};
pub(crate) use unknown::{Room, park_unknown};

use crate::{
    Failure,
    failure::{Recovery, chain},
};
use chrono::{DateTime, Utc};
use events::WaitsFor;
use rand::RngExt as _;
use serde::Serialize;
use std::time::Duration;
use uuid::Uuid;

/// How many tries a transient failure gets before the event is dead.
pub const MAX_ATTEMPTS: i32 = 5;
/// An event that its consumer returned several times has so many tries behind it when it is set aside: two are left.
const SET_ASIDE_ATTEMPTS: i32 = MAX_ATTEMPTS - 2;
/// When a waiting event is tried for the first time without a release: the transaction that released it may have
/// been open while the event was parked, and then it did not see the row.
const RECHECK: Duration = Duration::from_secs(1);
/// The shortest pause between further tries of a waiting event. It grows with the time that the event has waited.
const RECHECK_AGAIN: Duration = Duration::from_secs(30);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long an event waits for another one.
const WAITS_AT_MOST: Duration = Duration::from_secs(30 * 24 * 3600);
/// The pause between tries of a slow event, for [`SLOW_OFTEN`]. After that it grows.
const SLOW_PAUSE: Duration = Duration::from_secs(5);
const SLOW_OFTEN: Duration = Duration::from_secs(600);
/// How long a slow event is tried.
const SLOW_AT_MOST: Duration = Duration::from_secs(24 * 3600);
/// The kind of an event whose consumer or whose connection ended while it had the event.
const CRASHED: &str = "crashed";
/// The kind of an event that no longer has a body.
const ERASED: &str = "erased";

/// Why an event is parked, and what happens to it next.
#[derive(Clone, Debug)]
pub(crate) struct Disposition {
    pub(crate) kind: &'static str,
    pub(crate) reason: String,
    pub(crate) waits_for: Option<WaitsFor>,
    /// How many of its tries count.
    pub(crate) attempts: i32,
    /// The pause before the next try; `None` is dead.
    pub(crate) pause: Option<Duration>,
}

/// How often an event was tried, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    pub(crate) attempts: i32,
    pub(crate) age: Duration,
}

impl Tries {
    pub(crate) const FIRST: Self = Self {
        attempts: 1,
        age: Duration::ZERO,
    };
}

impl Disposition {
    pub(crate) fn dead(kind: &'static str, reason: impl Into<String>, attempts: i32) -> Self {
        Self {
            kind,
            reason: reason.into(),
            waits_for: None,
            attempts,
            pause: None,
        }
    }

    /// The disposition of an event that failed while others passed.
    pub(crate) fn of(failure: &Failure, tries: Tries) -> Self {
        let dead = Self::dead(failure.kind(), chain(failure), tries.attempts);
        match failure.recovery() {
            Recovery::DeadLetter => dead,
            Recovery::RetryLater => Self {
                pause: (tries.attempts < MAX_ATTEMPTS).then(|| pause(tries.attempts)),
                ..dead
            },
            Recovery::Pause | Recovery::RetryNow | Recovery::Compare => Self {
                kind: "slow",
                // A time limit is no proof against the event: its tries do not count.
                attempts: 0,
                pause: slow_pause(tries.age),
                ..dead
            },
        }
    }

    /// The disposition of an event that needs something that has not arrived. To wait is no failed attempt.
    pub(crate) fn waits(key: WaitsFor, age: Duration) -> Self {
        Self {
            kind: "waits",
            reason: format!("waits for {key}"),
            waits_for: Some(key),
            attempts: 0,
            pause: recheck_pause(age),
        }
    }

    /// The disposition of an event whose consumer or connection ended so often that the next try must not hold up the
    /// queue. The try counts before it begins.
    pub(crate) fn set_aside(returns: i64) -> Self {
        Self {
            attempts: SET_ASIDE_ATTEMPTS,
            pause: Some(RECHECK),
            ..Self::crashed(returns)
        }
    }

    /// The disposition of an event that the broker has set aside.
    pub(crate) fn crashed(returns: i64) -> Self {
        let reason = format!(
            "its consumer or the connection ended {returns} times; the body may be unreadable, or its handling may end the process"
        );
        Self::dead(CRASHED, reason, 1)
    }

    /// The disposition of a parked event that has ended the process at each of its tries. `None`: it has tries left.
    pub(crate) fn exhausted(attempts: i32) -> Option<Self> {
        let reason = "the process ended at each of its tries; its handling may end the process";
        (attempts > MAX_ATTEMPTS).then(|| Self::dead(CRASHED, reason, MAX_ATTEMPTS))
    }

    /// The disposition of an event about a person who was erased.
    pub(crate) fn erased() -> Self {
        Self::dead(ERASED, "what it is about has been erased", 1)
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.pause.is_some() {
            "waiting"
        } else {
            "dead"
        }
    }

    pub(crate) fn is_erased(&self) -> bool {
        self.kind == ERASED
    }
}

/// 1, 4, 16, 64 s after the first, second, third, fourth try.
fn pause(attempts: i32) -> Duration {
    let exponent = u32::try_from(attempts - 1).unwrap_or(0).min(3);
    shortened(Duration::from_secs(4_u64.pow(exponent)))
}

/// After each try as long as the event has waited already, so that the pause doubles. `None` after 30 days.
fn recheck_pause(age: Duration) -> Option<Duration> {
    if age < RECHECK {
        return Some(RECHECK);
    }
    (age < WAITS_AT_MOST).then(|| shortened(age.clamp(RECHECK_AGAIN, LONGEST)))
}

/// 5 s for ten minutes, then doubled up to an hour. `None` after a day.
fn slow_pause(age: Duration) -> Option<Duration> {
    let pause = age.saturating_sub(SLOW_OFTEN).clamp(SLOW_PAUSE, LONGEST);
    (age < SLOW_AT_MOST).then(|| shortened(pause))
}

/// A pause, shortened at random by up to a fifth.
fn shortened(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.8..=1.0))
}

/// PostgreSQL's text has no NUL; AMQP's keys and the quotation of a message may.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A parked event, without its body.
#[derive(Clone, Debug, Serialize)]
pub struct Parked {
    /// Its identity.
    pub event_id: Uuid,
    /// `waiting`, `dead` or `discarded`.
    pub state: String,
    /// Its routing key.
    pub routing_key: String,
    /// The cause in one word.
    pub kind: String,
    /// The cause, with its chain of errors. May quote what was sent.
    pub reason: String,
    /// The service that published it, where that could be read.
    pub source: Option<String>,
    /// The key of what must arrive first.
    pub waits_for: Option<String>,
    /// How often handling was tried since it was parked or replayed.
    pub attempts: i32,
    /// How often the message was delivered.
    pub deliveries: i32,
    /// When it is tried again.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was parked.
    pub first_at: DateTime<Utc>,
    /// When it was last delivered or tried.
    pub last_at: DateTime<Utc>,
    /// Since when it is tried: when it was parked or last replayed.
    pub waiting_since: DateTime<Utc>,
    /// When a person discarded it.
    pub discarded_at: Option<DateTime<Utc>>,
    /// Its body was deleted: it cannot be handled any more.
    pub is_without_body: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(attempts: i32, seconds: u64) -> Tries {
        Tries {
            attempts,
            age: Duration::from_secs(seconds),
        }
    }

    /// The pauses of an event that is tried until it is dead, when each try fails.
    fn pauses(pause: impl Fn(Duration) -> Option<Duration>) -> Vec<Duration> {
        let mut age = Duration::ZERO;
        std::iter::from_fn(|| {
            let next = pause(age)?;
            age += next;
            Some(next)
        })
        .collect()
    }

    #[test]
    fn a_transient_failure_is_tried_five_times_further_and_further_apart() {
        let failure = Failure::Panic("no".into());
        let pauses: Vec<_> = (1..=5)
            .map(|attempts| Disposition::of(&failure, tries(attempts, 0)).pause)
            .collect();
        for (pause, most) in pauses.iter().zip([1, 4, 16, 64]) {
            let pause = pause.expect("tried again");
            assert!(
                pause <= Duration::from_secs(most)
                    && pause >= Duration::from_secs(most).mul_f64(0.79)
            );
        }
        assert_eq!(pauses[4], None, "dead after the fifth");
    }

    #[test]
    fn a_rejection_has_no_second_try() {
        let disposition = Disposition::of(&Failure::Reject("no".into()), Tries::FIRST);
        assert_eq!(disposition.state(), "dead");
    }

    #[test]
    fn a_slow_event_is_tried_every_five_seconds_then_up_to_an_hour_apart_for_a_day() {
        let failure = Failure::NoAnswer;
        let of = |age| Disposition::of(&failure, Tries { attempts: 9, age });
        assert_eq!(of(Duration::ZERO).attempts, 0, "its tries do not count");
        let pauses = pauses(|age| of(age).pause);
        assert!(pauses[..120].iter().all(|pause| *pause <= SLOW_PAUSE));
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses[pauses.len() - 2] > LONGEST / 2, "{pauses:?}");
        assert_eq!(of(SLOW_AT_MOST).state(), "dead");
    }

    #[test]
    fn an_event_whose_cause_never_arrives_is_tried_less_and_less_often_and_dead_after_thirty_days()
    {
        let of = |age| Disposition::waits(WaitsFor::user(Uuid::nil().into()), age);
        let pauses = pauses(|age| of(age).pause);
        assert!(
            pauses.len() < 1_000,
            "{} tries in thirty days",
            pauses.len()
        );
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert_eq!(of(WAITS_AT_MOST).state(), "dead");
    }

    #[test]
    fn an_event_that_ends_the_process_has_a_limited_number_of_tries() {
        assert!(Disposition::exhausted(MAX_ATTEMPTS).is_none());
        assert_eq!(
            Disposition::exhausted(MAX_ATTEMPTS + 1).unwrap().state(),
            "dead"
        );
    }
}
