//! `up --scale`: how many processes each consumer has, at the start and while the stack runs.

use super::addresses;
use crate::{
    commands, ports,
    supervisor::{Started, Supervisor},
    units::{self, Scale, System},
};
use anyhow::bail;
use events::topology::SERVICES;
use std::fmt::{self, Display, Formatter};

/// Unit of a first consumer → number of its processes.
pub(super) fn processes_of_consumers(scale: &[commands::Scale]) -> anyhow::Result<Scale> {
    let mut processes = Scale::new();
    for scale in scale {
        let name = units::name_of(&scale.unit);
        if !SERVICES
            .iter()
            .any(|service| name == units::consumer(service))
        {
            let consumers = SERVICES.map(units::consumer);
            bail!(
                "{} cannot be scaled; consumers can: {}",
                scale.unit,
                consumers.join(", ")
            );
        }
        processes.insert(name, scale.processes);
    }
    Ok(processes)
}

/// What a command did to the units.
#[derive(Default)]
pub(super) struct Change {
    pub(super) started: Vec<Started>,
    stopped: Vec<String>,
}

impl Change {
    pub(super) fn started(started: Vec<Started>) -> Self {
        let stopped = Vec::new();
        Self { started, stopped }
    }

    pub(super) fn stopped(stopped: Vec<String>) -> Self {
        let started = Vec::new();
        Self { started, stopped }
    }
}

impl Display for Change {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let started: Vec<&str> = self.started.iter().map(|unit| unit.name.as_str()).collect();
        let lines = [
            ("started", started.join(", ")),
            ("stopped", self.stopped.join(", ")),
        ];
        let mut lines = lines
            .iter()
            .filter(|(_, names)| !names.is_empty())
            .peekable();
        if lines.peek().is_none() {
            return f.write_str("it runs already");
        }
        let lines: Vec<String> = lines
            .map(|(what, names)| format!("{what}: {names}"))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}

/// Starts the processes of consumers that are missing, and stops those that are too many.
pub(super) async fn change(
    system: &mut System,
    supervisor: &mut Supervisor,
    scale: Scale,
) -> anyhow::Result<Change> {
    let mut change = Change::default();
    system.scale.extend(scale);
    for service in SERVICES {
        let first = units::consumer(service);
        let names = units::consumers(service, &system.scale);
        change
            .stopped
            .extend(supervisor.keep_only(&first, &names).await?);
        for name in names {
            if supervisor.has(&name) {
                continue;
            }
            ports::add(&mut system.ports, units::internal(&name))?;
            let unit = system.consumer(service, name)?;
            change.started.push(supervisor.add_replica(unit, &first)?);
        }
    }
    ports::keep(&system.workspace, &system.ports)?;
    addresses::write(system)?;
    Ok(change)
}
