//! Numbers with their nouns, ages and spans of time, as people read them.

use chrono::{DateTime, TimeDelta, Utc};

/// Returns a number with its noun: `1 event`, `2 events`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix("ss")) {
        (1, _) => format!("1 {noun}"),
        (_, Some(_)) => format!("{number} {noun}es"),
        (_, None) => format!("{number} {noun}s"),
    }
}

/// Returns a span of seconds in the largest unit that says enough: `3 s`, `12 min`, `5 h`, `2 d`.
pub(crate) fn seconds(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Returns how long ago `time` was, as [`seconds`] says it.
pub(crate) fn ago(time: DateTime<Utc>) -> String {
    let age = (Utc::now() - time).num_seconds().max(0);
    seconds(age.unsigned_abs())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        assert_eq!(count(0, "event"), "0 events");
        assert_eq!(count(1, "event"), "1 event");
        assert_eq!(count(2, "process"), "2 processes");
        assert_eq!(seconds(90), "90 s");
        assert_eq!(seconds(150), "2 min");
    }

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
