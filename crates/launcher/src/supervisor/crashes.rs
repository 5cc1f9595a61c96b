//! The ends of units that no person asked for: the next start, and the list that the operator's command shows.

use super::Supervised;
use crate::{logs, output, workspace::Workspace};
use chrono::Utc;
use events::topology::{Crash, Unit};
use std::{
    collections::VecDeque, os::unix::process::ExitStatusExt as _, process::ExitStatus,
    time::Duration,
};
use tokio::time::Instant;

/// A unit that ends so often within the window is in a crash loop: it is started again slowly, with a warning.
const CRASHES: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(20);
/// The pause between two starts in a crash loop, and after a start that failed.
pub(super) const SLOW_START: Duration = Duration::from_secs(5);

impl Supervised {
    /// Notes an end that no person asked for, and plans the next start.
    pub(super) fn note_crash(&mut self, workspace: &Workspace, status: Option<ExitStatus>) {
        note(&mut self.crashes, status);
        self.plan_start(workspace, status);
    }

    /// Plans the next start after an end: at once, or later in a crash loop.
    fn plan_start(&mut self, workspace: &Workspace, status: Option<ExitStatus>) {
        let now = Instant::now();
        self.ends.push_back(now);
        while self
            .ends
            .front()
            .is_some_and(|end| now - *end > CRASH_WINDOW)
        {
            self.ends.pop_front();
        }
        let name = &self.unit.name;
        let status = status.map_or_else(|| "in an unknown way".into(), |status| status.to_string());
        let pause = if self.ends.len() < CRASHES {
            output::warning(&format!("{name} has ended ({status}); starting it again"));
            // Its port may take a moment to become free.
            Duration::from_millis(200) * u32::try_from(self.ends.len() - 1).unwrap_or(1)
        } else {
            let last = logs::last_lines(workspace, name, 5);
            output::warning(&format!(
                "{name} has ended {CRASHES} times within {} s ({status}); its last lines:\n{last}\n\
                 trying again every {} s; try: ./medtrack logs {name}",
                CRASH_WINDOW.as_secs(),
                SLOW_START.as_secs()
            ));
            SLOW_START
        };
        self.start_at = Some(now + pause);
    }
}

/// Notes that a unit has just ended.
fn note(crashes: &mut VecDeque<Crash>, status: Option<ExitStatus>) {
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
