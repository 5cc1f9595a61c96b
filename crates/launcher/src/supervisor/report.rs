//! The state of the units: a table for people, and `units.json` for the operator's command.

use super::{Supervised, Supervisor};
use crate::{output, units::Ready, workspace::replace_private};
use events::topology::{Unit, UnitState};

impl Supervisor {
    /// The table of units.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "{:<27}{:>8}  {:<9}{:>9}{:>10}{:>7}",
            "UNIT", "PID", "STATE", "SINCE", "RESTARTS", "PORT"
        );
        for this in &self.units {
            let pid = this.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
            let since = match this.pid {
                Some(_) => age(this.since.elapsed().as_secs()),
                None => "-".into(),
            };
            let (state, restarts) = (this.state().as_str(), this.restarts());
            let (name, port) = (&this.unit.name, this.unit.port);
            table += &format!("\n{name:<27}{pid:>8}  {state:<9}{since:>9}{restarts:>10}{port:>7}");
        }
        table
    }

    /// Writes `units.json`. The stack goes on where that fails.
    pub(super) fn write_report(&self) {
        let units: Vec<Unit> = self.units.iter().map(Supervised::report).collect();
        let written = serde_json::to_string_pretty(&units)
            .map_err(anyhow::Error::from)
            .and_then(|text| replace_private(&self.workspace.path("units.json"), &text));
        if let Err(error) = written {
            output::error(&format!("medtrack: {error:#}"));
        }
    }
}

/// An age in the largest unit that says enough.
fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

impl Supervised {
    fn state(&self) -> UnitState {
        match (self.pid, self.wanted) {
            (Some(_), _) => UnitState::Running,
            (None, true) => UnitState::Crashed,
            (None, false) => UnitState::Stopped,
        }
    }

    fn restarts(&self) -> u32 {
        self.life.saturating_sub(1)
    }

    fn report(&self) -> Unit {
        let address = |port: u16| format!("127.0.0.1:{port}");
        let internal_address = match self.unit.ready {
            Ready::Healthy(port) => Some(address(port)),
            Ready::Listening(_) => None,
        };
        Unit {
            unit: self.unit.name.clone(),
            pid: self.pid.and_then(|pid| u32::try_from(pid.as_raw()).ok()),
            state: self.state(),
            restarts: self.restarts(),
            restarted_at: self.restarted_at.iter().copied().collect(),
            crashes: self.crashes.iter().cloned().collect(),
            address: address(self.unit.port),
            internal_address,
        }
    }
}
