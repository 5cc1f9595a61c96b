//! What an operator asks of a running stack, here or in containers.

mod broker;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
mod list;
pub(crate) mod outbox;
mod places;
pub(crate) mod queues;
pub(crate) mod topology;
pub(crate) mod trace;
pub(crate) mod watch;

use chrono::{DateTime, Utc};

/// How long ago, in the largest unit that says enough: `3 s`, `12 min`, `5 h`, `2 d`.
fn ago(time: DateTime<Utc>) -> String {
    let seconds = (Utc::now() - time).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
