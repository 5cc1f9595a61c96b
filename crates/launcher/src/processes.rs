//! Processes as the kernel lists them: whether one is alive, and which are the children of which.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::HashSet,
    fs,
    time::{Duration, Instant},
};

/// A process. Its start time distinguishes it from a later process with the same pid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: Pid,
    started: String,
}

impl Process {
    /// `None` when it is dead.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        stat(pid).map(|stat| Self {
            pid,
            started: stat.started,
        })
    }

    fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// The process as one line of the list of children.
    pub(crate) fn to_line(&self) -> String {
        format!("{} {}", self.pid, self.started)
    }

    /// Reads such a line.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (pid, started) = line.split_once(' ')?;
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?),
            started: started.to_owned(),
        })
    }
}

/// All descendants of this process, without `kept` and their descendants.
pub(crate) fn descendants(kept: &[Pid]) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(Pid::from_raw);
    let all: Vec<(Pid, Stat)> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let mut family = HashSet::from([Pid::this()]);
    loop {
        let grown = all.iter().filter(|(pid, stat)| {
            family.contains(&stat.parent) && !family.contains(pid) && !kept.contains(pid)
        });
        let grown: Vec<Pid> = grown.map(|(pid, _)| *pid).collect();
        if grown.is_empty() {
            break;
        }
        family.extend(grown);
    }
    family.remove(&Pid::this());
    let family = all.into_iter().filter(|(pid, _)| family.contains(pid));
    family
        .map(|(pid, stat)| Process {
            pid,
            started: stat.started,
        })
        .collect()
}

/// Sends a signal to the processes that are alive.
pub(crate) fn signal(processes: &[Process], signal: Signal) {
    for process in processes.iter().filter(|process| process.is_alive()) {
        let _ = kill(process.pid, signal);
    }
}

/// Waits until all processes have ended; kills those that have not after `patience`.
pub(crate) async fn wait_for_end(processes: &[Process], patience: Duration) {
    let began = Instant::now();
    while processes.iter().any(Process::is_alive)
        && began.elapsed() < patience + Duration::from_secs(4)
    {
        if began.elapsed() > patience {
            signal(processes, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Stat {
    parent: Pid,
    /// In ticks since the start of the machine.
    started: String,
}

/// `None` for a process that has ended, also when its parent has not waited for it yet.
fn stat(pid: Pid) -> Option<Stat> {
    if kill(pid, None) == Err(Errno::ESRCH) {
        return None;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = Pid::from_raw(fields.next()?.parse().ok()?);
    let started = fields.nth(17)?.to_owned();
    (state != "Z").then_some(Stat { parent, started })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_spec::CommandSpec;

    #[tokio::test]
    async fn descendants_are_listed_and_ended() {
        let script = "sleep 1000 & wait";
        let mut child = CommandSpec::new("sh")
            .args(["-c", script])
            .command()
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        let family = async {
            loop {
                // The children of other tests go on.
                let ours = |one: &Process| {
                    one.pid == pid || stat(one.pid).is_some_and(|one| one.parent == pid)
                };
                let family: Vec<Process> = descendants(&[]).into_iter().filter(ours).collect();
                if family.len() == 2 {
                    return family;
                }
                tokio::task::yield_now().await;
            }
        };
        let family = tokio::time::timeout(Duration::from_secs(10), family)
            .await
            .unwrap();
        assert!(
            descendants(&[pid]).iter().all(|one| !family.contains(one)),
            "a kept process keeps its children"
        );
        let line = family[0].to_line();
        assert_eq!(Process::from_line(&line), Some(family[0].clone()));
        signal(&family, Signal::SIGTERM);
        wait_for_end(&family, Duration::from_secs(5)).await;
        child.wait().await.unwrap();
        assert_eq!(Process::of(pid), None);
    }
}
