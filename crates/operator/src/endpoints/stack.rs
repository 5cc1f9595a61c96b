//! What `medtrack up` runs on this machine: the list that it writes, and what the kernel says of the processes.

use super::Endpoints;
use anyhow::bail;
use events::topology::{Unit, UnitState};
use std::{
    fs::{self, File, TryLockError},
    path::Path,
};

/// Whether `medtrack up` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supervision {
    /// It runs, and starts again what ends.
    Running,
    /// It has ended. What it had started may still run.
    Ended,
}

/// Reads the list of the units; none where there is no such file, as in a container.
pub(super) fn read(state_dir: &Path) -> Vec<Unit> {
    let text = fs::read_to_string(state_dir.join("units.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

impl Endpoints {
    /// The processes that `medtrack up` has started.
    pub(crate) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// Whether `medtrack up` runs: it holds a lock as long as it lives. `None` in a container.
    pub(crate) fn supervision(&self) -> Option<Supervision> {
        let lock = File::open(self.state_dir.join("lock")).ok()?;
        Some(match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Supervision::Running,
            _ => Supervision::Ended,
        })
    }

    /// Fails where nothing runs of what `medtrack up` has started, because the addresses that it wrote may belong to other
    /// servers by now.
    pub(crate) fn require_running(&self) -> anyhow::Result<()> {
        let is_down = self.supervision() == Some(Supervision::Ended)
            && !self.units.iter().any(is_alive)
            && !self.is_elsewhere;
        if is_down {
            bail!(
                "the system does not run here; try: {}",
                self.command_line.start()
            );
        }
        Ok(())
    }

    /// Says of a server that does not listen what is known about it: `does not run`.
    pub(crate) fn how_it_ended(&self, unit: &str) -> String {
        let unit = self.units.iter().find(|one| one.unit == unit);
        let Some(unit) = unit else {
            return "does not run".into();
        };
        match (unit.state, unit.crashes.last()) {
            (UnitState::Stopped, _) => "is stopped, because a person stopped it".into(),
            (UnitState::Crashed, Some(crash)) => format!("has ended, {}", crash.how),
            (UnitState::Running, _) if is_alive(unit) => {
                "runs and does not listen yet, it starts".into()
            }
            _ => "does not run".into(),
        }
    }

    /// Says of a part that takes connections and does not answer what is known about it.
    pub(crate) fn how_it_hangs(&self, unit: &str) -> String {
        let unit = self.units.iter().find(|one| one.unit == unit);
        match unit.and_then(|unit| Some((unit, unit.pid?))) {
            Some((unit, pid)) if is_frozen(unit) => {
                format!("is frozen: a signal has stopped its process {pid}")
            }
            Some((_, pid)) => format!("runs (process {pid}) and does not answer in time"),
            None => "runs and does not answer in time".into(),
        }
    }
}

/// Whether the process of a unit exists.
pub(crate) fn is_alive(unit: &Unit) -> bool {
    let state = unit.pid.and_then(state);
    state.is_some_and(|state| state != 'Z')
}

/// Whether the process of a unit was stopped by a signal, and does nothing until another one.
fn is_frozen(unit: &Unit) -> bool {
    let state = unit.pid.and_then(state);
    state.is_some_and(|state| matches!(state, 'T' | 't'))
}

/// The state of a process in one letter (proc(5)); `None` where there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_does_not_exist_is_not_alive() {
        let unit = |pid| Unit {
            unit: "rabbitmq".into(),
            pid,
            state: UnitState::Running,
            restarts: 0,
            restarted_at: Vec::new(),
            crashes: Vec::new(),
            address: String::new(),
            internal_address: None,
        };
        assert!(is_alive(&unit(Some(std::process::id()))));
        assert!(!is_frozen(&unit(Some(std::process::id()))));
        assert!(!is_alive(&unit(Some(u32::MAX))));
        assert!(!is_alive(&unit(None)));
    }
}
