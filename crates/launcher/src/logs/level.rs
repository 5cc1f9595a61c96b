//! The level of a line, in the form of each unit: ours as text or JSON, Caddy's JSON, PostgreSQL's, RabbitMQ's.

use clap::ValueEnum;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// The level that a line states. `None` for a line that continues the one before it.
    pub(super) fn of(line: &str) -> Option<Self> {
        const FIELD: &str = "\"level\":\"";
        if line.starts_with('{') {
            let start = line.find(FIELD)? + FIELD.len();
            return Self::named(line[start..].split('"').next()?);
        }
        // The time of PostgreSQL and its process fill four words.
        let mut words = line.split_whitespace().take(5);
        words
            .next()
            .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        words.find_map(Self::named)
    }

    fn named(word: &str) -> Option<Self> {
        let word = word.trim_matches(['[', ']', ':']).to_ascii_lowercase();
        Some(match word.as_str() {
            "trace" => Self::Trace,
            "debug" | "debug1" | "debug2" | "debug3" | "debug4" | "debug5" => Self::Debug,
            "info" | "notice" | "log" => Self::Info,
            "warn" | "warning" => Self::Warn,
            "error" | "critical" | "fatal" | "panic" => Self::Error,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_all_units_have_a_level() {
        for (line, level) in [
            ("2026-11-26T01:02:03.4Z  WARN Error: no", Some(Level::Warn)),
            (
                r#"{"timestamp":"2026-11-26T01:02:03Z","level":"ERROR"}"#,
                Some(Level::Error),
            ),
            (r#"{"level":"info","ts":1.5}"#, Some(Level::Info)),
            (
                "2026-11-26 01:02:03.456 UTC [12] FATAL:  no",
                Some(Level::Error),
            ),
            ("2026-11-26 01:02:03.456 UTC [12] HINT:  Try", None),
            (
                "2026-11-26 01:02:03.456789+00:00 [warning] <0.1.0> no",
                Some(Level::Warn),
            ),
            ("   error: a line that goes on", None),
            ("", None),
        ] {
            assert_eq!(Level::of(line), level, "{line}");
        }
    }
}
