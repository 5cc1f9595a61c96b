//! Figures with their nouns, as people read them.

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
}
