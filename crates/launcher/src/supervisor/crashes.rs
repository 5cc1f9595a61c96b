//! The ends of units that no person asked for, as the operator's command shows them.

use chrono::Utc;
use events::topology::{Crash, Unit};
use std::{collections::VecDeque, os::unix::process::ExitStatusExt as _, process::ExitStatus};

/// Notes that a unit has just ended.
pub(super) fn note(crashes: &mut VecDeque<Crash>, status: Option<ExitStatus>) {
    crashes.push_back(Crash {
        at: Utc::now(),
        how: description(status),
    });
    if crashes.len() > Unit::RESTARTS {
        crashes.pop_front();
    }
}

fn description(status: Option<ExitStatus>) -> String {
    let Some(status) = status else {
        return "ended in an unknown way".into();
    };
    match (status.signal(), status.code()) {
        (Some(9), _) => "killed (signal 9)".into(),
        (Some(signal), _) => format!("ended by signal {signal}"),
        (None, Some(code)) => format!("exited with code {code}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ends_are_kept_with_their_reasons() {
        let mut crashes = VecDeque::new();
        for status in [0, 256, 6].map(ExitStatus::from_raw) {
            note(&mut crashes, Some(status));
        }
        let hows: Vec<&str> = crashes.iter().map(|crash| crash.how.as_str()).collect();
        assert_eq!(
            hows,
            [
                "exited with code 0",
                "exited with code 1",
                "ended by signal 6"
            ]
        );
        for _ in 0..Unit::RESTARTS {
            note(&mut crashes, Some(ExitStatus::from_raw(9)));
        }
        assert_eq!(crashes.len(), Unit::RESTARTS);
        assert!(crashes.iter().all(|crash| crash.how == "killed (signal 9)"));
    }
}
