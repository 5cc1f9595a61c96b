//! Ages, as people read them.

use chrono::{DateTime, Utc};

/// Returns how long ago `time` was, in the largest unit that says enough: `3 s`, `12 min`, `5 h`, `2 d`.
pub(crate) fn ago(time: DateTime<Utc>) -> String {
    let seconds = (Utc::now() - time).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
