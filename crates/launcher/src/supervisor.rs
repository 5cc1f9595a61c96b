//! Keeps the units running: starts them, notices their ends, starts them again, and stops them in order.

mod crashes;
mod report;
mod stop;

pub(crate) use stop::end_leftovers;

use crate::{
    logs, output,
    processes::Process,
    units::{self, Ready, Tier, Unit},
    workspace::Workspace,
};
use anyhow::{Context as _, bail};
use chrono::{DateTime, Utc};
use events::topology;
use nix::unistd::Pid;
use std::{
    collections::VecDeque,
    fs,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

pub(crate) struct Supervisor {
    workspace: Workspace,
    /// Whether the lines of the services and of the gateway are also printed to the terminal.
    shown: bool,
    units: Vec<Supervised>,
    ended: mpsc::Sender<Ended>,
    ends: mpsc::Receiver<Ended>,
    /// The tasks that write the logs.
    pumps: JoinSet<()>,
}

struct Supervised {
    unit: Unit,
    pid: Option<Pid>,
    /// Counts starts, so that the end of an earlier process is not taken for the end of this one.
    life: u32,
    since: Instant,
    /// Whether it should run.
    wanted: bool,
    ends: VecDeque<Instant>,
    restarted_at: VecDeque<DateTime<Utc>>,
    crashes: VecDeque<topology::Crash>,
    start_at: Option<Instant>,
}

/// The end of a child process.
pub(crate) struct Ended {
    unit: String,
    life: u32,
    status: Option<ExitStatus>,
}

/// A unit that was just started, and when it is ready.
pub(crate) struct Started {
    pub(crate) name: String,
    pub(crate) ready: Ready,
}

impl Supervisor {
    pub(crate) fn new(workspace: &Workspace, shown: bool) -> Self {
        let (ended, ends) = mpsc::channel(32);
        Self {
            workspace: workspace.clone(),
            shown,
            units: Vec::new(),
            ended,
            ends,
            pumps: JoinSet::new(),
        }
    }

    /// Starts a unit, and keeps it running from now on.
    pub(crate) fn add(&mut self, unit: Unit) -> anyhow::Result<()> {
        self.insert(unit, None)
    }

    /// Starts one more process of a consumer, and keeps it running from now on.
    pub(crate) fn add_replica(&mut self, unit: Unit, consumer: &str) -> anyhow::Result<Started> {
        let started = Started {
            name: unit.name.clone(),
            ready: unit.ready,
        };
        self.insert(unit, Some(consumer))?;
        Ok(started)
    }

    /// Starts a unit whose place in the table is after those that a name means.
    fn insert(&mut self, unit: Unit, after: Option<&str>) -> anyhow::Result<()> {
        let now = Instant::now();
        let supervised = Supervised {
            unit,
            pid: None,
            life: 0,
            since: now,
            wanted: true,
            ends: VecDeque::new(),
            restarted_at: VecDeque::new(),
            crashes: VecDeque::new(),
            start_at: None,
        };
        let index = match after {
            Some(unit) => self.indexes(unit)?.last().map_or(0, |last| last + 1),
            None => self.units.len(),
        };
        self.units.insert(index, supervised);
        self.start(index)
    }

    /// Whether there is such a unit.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.units.iter().any(|this| this.unit.name == name)
    }

    fn start(&mut self, index: usize) -> anyhow::Result<()> {
        let this = &mut self.units[index];
        let name = this.unit.name.clone();
        let unit = name.clone();
        let spawned = this.unit.program.spawn(Stdio::piped(), Stdio::piped());
        let mut child = spawned.with_context(|| format!("{name} cannot be started"))?;
        this.pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw);
        if this.life > 0 {
            this.restarted_at.push_back(Utc::now());
            if this.restarted_at.len() > topology::Unit::RESTARTS {
                this.restarted_at.pop_front();
            }
        }
        this.life += 1;
        this.since = Instant::now();
        this.start_at = None;
        // What PostgreSQL and RabbitMQ write at their start would hide the lines of the services.
        let shown = self.shown && this.unit.tier == Tier::System;
        while self.pumps.try_join_next().is_some() {}
        let workspace = &self.workspace;
        if let Some(output) = child.stdout.take() {
            self.pumps
                .spawn(logs::pump(output, workspace.clone(), name.clone(), shown));
        }
        if let Some(errors) = child.stderr.take() {
            self.pumps
                .spawn(logs::pump(errors, workspace.clone(), name, shown));
        }
        let (ended, life) = (self.ended.clone(), this.life);
        tokio::spawn(async move {
            let status = child.wait().await.ok();
            let _ = ended.send(Ended { unit, life, status }).await;
        });
        self.note_children()
    }

    /// Waits until the units are ready; fails when one of them ends again and again instead.
    pub(crate) async fn wait_ready(
        &mut self,
        names: &[String],
        limit: Duration,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        for name in names {
            let index = self.indexes(name)?[0];
            while !units::is_well(self.units[index].unit.ready).await
                || self.units[index].pid.is_none()
            {
                while let Ok(ended) = self.ends.try_recv() {
                    self.note_end(&ended);
                }
                self.start_due();
                if self.units[index].ends.len() >= 3 || Instant::now() > deadline {
                    bail!(
                        "{name} does not become ready; its last lines:\n{}\ntry: ./medtrack logs {name}",
                        logs::last_lines(&self.workspace, name, 12)
                    );
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Waits for the end of a child, or until a unit is due to start.
    pub(crate) async fn next_end(&mut self) -> Option<Ended> {
        let next_start = self.units.iter().filter_map(|this| this.start_at).min();
        tokio::select! {
            ended = self.ends.recv() => ended,
            () = sleep_until(next_start) => None,
        }
    }

    /// Records the end of a child, and plans the next start: at once, or later in a crash loop.
    pub(crate) fn note_end(&mut self, ended: &Ended) {
        let mut units = self.units.iter_mut();
        let Some(this) = units.find(|this| this.unit.name == ended.unit && this.life == ended.life)
        else {
            return;
        };
        this.pid = None;
        if this.wanted {
            this.note_crash(&self.workspace, ended.status);
        }
        self.write_report();
    }

    /// Starts the units that are due.
    pub(crate) fn start_due(&mut self) {
        for index in 0..self.units.len() {
            let this = &self.units[index];
            let due = this.wanted
                && this.pid.is_none()
                && this.start_at.is_some_and(|at| at <= Instant::now());
            if due && let Err(error) = self.start(index) {
                output::error(&format!("{error:#}"));
                self.units[index].start_at = Some(Instant::now() + crashes::SLOW_START);
            }
        }
    }

    pub(crate) fn names(&self, tier: Tier) -> Vec<String> {
        self.units
            .iter()
            .filter(|this| this.unit.tier == tier)
            .map(|this| this.unit.name.clone())
            .collect()
    }

    /// Restarts units, or starts stopped ones; returns those that it started.
    pub(crate) async fn restart(&mut self, names: &[String]) -> anyhow::Result<Vec<Started>> {
        self.stop(names).await?;
        self.start_stopped(names)
    }

    /// Starts those of the units with these names that do not run, and returns them. When a name means no unit, it starts
    /// none.
    pub(crate) fn start_stopped(&mut self, names: &[String]) -> anyhow::Result<Vec<Started>> {
        let mut started = Vec::new();
        for index in self.indexes_of(names)? {
            // A name that is given twice starts its unit once.
            if self.units[index].pid.is_some() {
                continue;
            }
            self.units[index].wanted = true;
            self.units[index].crashes.clear();
            self.start(index)?;
            let unit = &self.units[index].unit;
            started.push(Started {
                name: unit.name.clone(),
                ready: unit.ready,
            });
        }
        Ok(started)
    }

    /// The units that some names mean; fails where one of them means none.
    fn indexes_of(&self, names: &[String]) -> anyhow::Result<Vec<usize>> {
        let indexes: Vec<Vec<usize>> = names
            .iter()
            .map(|name| self.indexes(name))
            .collect::<anyhow::Result<_>>()?;
        Ok(indexes.concat())
    }

    /// The units that a name means: a consumer may have several processes.
    fn indexes(&self, name: &str) -> anyhow::Result<Vec<usize>> {
        let units = self.units.iter().enumerate();
        let meant: Vec<usize> = units
            .filter(|(_, this)| units::is_meant(name, &this.unit.name))
            .map(|(index, _)| index)
            .collect();
        if meant.is_empty() {
            let names: Vec<&str> = self
                .units
                .iter()
                .map(|this| this.unit.name.as_str())
                .collect();
            bail!("there is no unit {name:?}; there are: {}", names.join(", "));
        }
        Ok(meant)
    }

    /// Writes the list of child processes, for the next launcher in case this one is killed, and the list of units.
    fn note_children(&self) -> anyhow::Result<()> {
        let line = |this: &Supervised| {
            Some(format!(
                "{} {}",
                Process::of(this.pid?)?.to_line(),
                this.unit.name
            ))
        };
        self.write_report();
        let lines: Vec<String> = self.units.iter().filter_map(line).collect();
        fs::write(self.workspace.path("children"), lines.join("\n"))
            .context("cannot write the list of children")
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
