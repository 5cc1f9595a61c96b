//! The end of units: all of them in order, some of them, or what a killed launcher has left.

use super::Supervisor;
use crate::{
    processes::{self, Process},
    units::{self, Tier},
    workspace::Workspace,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs, time::Duration};
use tokio::time::{Instant, timeout};

/// How long a command that the launcher has started, such as a migration, may take to end.
const COMMAND: Duration = Duration::from_secs(2);
const BROKER: &str = "rabbitmq";
/// How long a RabbitMQ may take that is stopped while it starts: it first makes its stores.
const START_OF_BROKER: Duration = Duration::from_secs(30);
/// The pause until a unit that starts gets its stop signal again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the logs wait for the last lines of units that have ended.
const LAST_LINES: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Stops everything: the commands that this process runs, the services and the gateway, then the servers that they
    /// use, then epmd, which RabbitMQ uses.
    pub(crate) async fn stop_all(&mut self) -> anyhow::Result<()> {
        let units: Vec<Pid> = self.units.iter().filter_map(|this| this.pid).collect();
        let commands = processes::descendants(&units);
        processes::signal(&commands, Signal::SIGTERM);
        processes::wait_for_end(&commands, COMMAND).await;
        self.stop(&self.names(Tier::System)).await?;
        let (epmd, servers): (Vec<String>, Vec<String>) = self
            .names(Tier::Backing)
            .into_iter()
            .partition(|name| name == "epmd");
        self.stop(&servers).await?;
        self.stop(&epmd).await?;
        // A process that outlives its unit may hold the pipe of a log open.
        let _ = timeout(LAST_LINES, async {
            while self.pumps.join_next().await.is_some() {}
        })
        .await;
        Ok(())
    }

    /// Stops units, which then stay stopped; returns all that the names mean.
    pub(crate) async fn stop(&mut self, names: &[String]) -> anyhow::Result<Vec<String>> {
        let indexes = self.indexes_of(names)?;
        let mut starting = Vec::new();
        for &index in &indexes {
            let this = &mut self.units[index];
            this.wanted = false;
            this.start_at = None;
            let is_broker = this.pid.is_some() && this.unit.name == BROKER;
            if is_broker && !units::is_ready(this.unit.ready).await {
                starting.push(index);
            }
            self.send_stop_signal(index);
        }
        let began = Instant::now();
        let mut signalled = began;
        while indexes.iter().any(|index| self.units[*index].pid.is_some()) {
            // An Erlang that begins to start ignores the signal.
            if signalled.elapsed() > AGAIN {
                signalled = Instant::now();
                starting
                    .iter()
                    .for_each(|index| self.send_stop_signal(*index));
            }
            for &index in &indexes {
                let this = &self.units[index];
                let patience = match starting.contains(&index) {
                    true => START_OF_BROKER,
                    false => patience(&this.unit.name),
                };
                if let Some(pid) = this.pid
                    && began.elapsed() > patience
                {
                    let _ = kill(pid, Signal::SIGKILL);
                }
            }
            if let Ok(Some(ended)) = timeout(Duration::from_millis(100), self.ends.recv()).await {
                self.note_end(&ended);
            }
        }
        self.note_children()?;
        let stopped = indexes
            .iter()
            .map(|index| self.units[*index].unit.name.clone());
        Ok(stopped.collect())
    }

    fn send_stop_signal(&self, index: usize) {
        let this = &self.units[index];
        if let Some(pid) = this.pid {
            let _ = kill(pid, this.unit.program.stop_signal.signal());
        }
    }

    /// Stops the processes of a consumer that are not among these names, and forgets them; returns their names.
    pub(crate) async fn keep_only(
        &mut self,
        consumer: &str,
        kept: &[String],
    ) -> anyhow::Result<Vec<String>> {
        let names = self.units.iter().map(|this| this.unit.name.clone());
        let surplus: Vec<String> = names
            .filter(|name| units::is_meant(consumer, name) && !kept.contains(name))
            .collect();
        self.stop(&surplus).await?;
        self.units.retain(|this| !surplus.contains(&this.unit.name));
        self.write_report();
        Ok(surplus)
    }

    /// Kills all units at once, and waits until they have ended.
    pub(crate) async fn kill_all(&mut self) {
        let pids = self.units.iter().filter_map(|this| this.pid);
        let alive: Vec<Process> = pids.filter_map(Process::of).collect();
        processes::wait_for_end(&alive, Duration::ZERO).await;
    }
}

/// How long a unit may take to end before it is killed. RabbitMQ closes its stores at once and then idles for seconds.
fn patience(unit: &str) -> Duration {
    match unit {
        BROKER => Duration::from_secs(3),
        _ => Duration::from_secs(16),
    }
}

/// Ends the processes of a killed launcher. The kernel has signalled them already when it died.
pub(crate) async fn end_leftovers(workspace: &Workspace) {
    let list = fs::read_to_string(workspace.path("children")).unwrap_or_default();
    let lines = list.lines().filter_map(|line| line.rsplit_once(' '));
    let processes =
        lines.filter_map(|(process, unit)| Some((Process::from_line(process)?, patience(unit))));
    futures_util::future::join_all(
        processes
            .map(async |(process, patience)| processes::wait_for_end(&[process], patience).await),
    )
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command_spec::CommandSpec,
        units::{Ready, Unit},
    };

    #[tokio::test]
    async fn a_broker_that_ignores_the_first_signal_while_it_starts_gets_it_again() {
        let dir = std::env::temp_dir().join(format!("medtrack-stop-{}", uuid::Uuid::new_v4()));
        let workspace = Workspace {
            repository: dir.clone(),
            state_dir: dir,
        };
        workspace.create().unwrap();
        let script = "signals=0
            trap 'signals=$((signals + 1)); if [ $signals = 2 ]; then touch ended; exit; fi' TERM
            touch begun
            while :; do sleep 0.02; done";
        let program = CommandSpec::new("sh").args(["-c", script]);
        let mut supervisor = Supervisor::new(&workspace, false);
        let broker = Unit {
            name: BROKER.to_owned(),
            program: program.dir(&workspace.state_dir),
            // Only the superuser may listen there.
            ready: Ready::Listening(1),
            port: 1,
            tier: Tier::Backing,
        };
        supervisor.add(broker).unwrap();
        while !workspace.path("begun").exists() {
            tokio::task::yield_now().await;
        }
        supervisor.stop(&[BROKER.to_owned()]).await.unwrap();
        assert!(workspace.path("ended").exists(), "it was killed");
        fs::remove_dir_all(workspace.state_dir).unwrap();
    }
}
