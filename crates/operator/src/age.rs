//! Ages, spans of time and numbers, as people read them.

use chrono::{DateTime, TimeDelta, Utc};

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

/// Returns a span of time as people read it: `31 ms`, `3.2 s`, `3 min 31 s`, `5 h 12 min`, `2 d 3 h`.
pub(crate) fn span(span: TimeDelta) -> String {
    let milliseconds = span.num_milliseconds().max(0);
    let seconds = milliseconds / 1_000;
    let two = |great: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{great} {unit}"),
        _ => format!("{great} {unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 => format!("{seconds}.{} s", milliseconds % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Returns a number of things: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_the_two_units_that_say_enough() {
        for (milliseconds, text) in [
            (-5, "0 ms"),
            (31, "31 ms"),
            (3_250, "3.2 s"),
            (59_999, "59 s"),
            (211_496, "3 min 31 s"),
            (120_000, "2 min"),
            (18_720_000, "5 h 12 min"),
            (183_600_000, "2 d 3 h"),
        ] {
            assert_eq!(span(TimeDelta::milliseconds(milliseconds)), text);
        }
    }
}
