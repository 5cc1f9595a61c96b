//! Processes as the kernel shows them: who lives, and whose children they are.

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

/// A process, told from a later one with the same pid by when it was born.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pid: Pid,
    born: String,
}

impl Known {
    /// `None` when it is dead.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        stat(pid).map(|stat| Self {
            pid,
            born: stat.born,
        })
    }

    fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// One line of a list of children.
    pub(crate) fn to_line(&self) -> String {
        format!("{} {}", self.pid, self.born)
    }

    /// What such a line says.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let (pid, born) = line.split_once(' ')?;
        Some(Self {
            pid: Pid::from_raw(pid.parse().ok()?),
            born: born.to_owned(),
        })
    }
}

/// All children of this process, and theirs, but for `kept` and theirs.
pub(crate) fn descendants(kept: &[Pid]) -> Vec<Known> {
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
        .map(|(pid, stat)| Known {
            pid,
            born: stat.born,
        })
        .collect()
}

/// Sends a signal to those that still live.
pub(crate) fn tell(processes: &[Known], signal: Signal) {
    for process in processes.iter().filter(|process| process.lives()) {
        let _ = kill(process.pid, signal);
    }
}

/// Waits until all are gone; kills what is not after `patience`.
pub(crate) async fn gone(processes: &[Known], patience: Duration) {
    let began = Instant::now();
    while processes.iter().any(Known::lives) && began.elapsed() < patience + Duration::from_secs(4)
    {
        if began.elapsed() > patience {
            tell(processes, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Stat {
    parent: Pid,
    /// In the kernel's clock.
    born: String,
}

/// `None` for a process that is dead, waited for or not.
fn stat(pid: Pid) -> Option<Stat> {
    if kill(pid, None) == Err(Errno::ESRCH) {
        return None;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let parent = Pid::from_raw(fields.next()?.parse().ok()?);
    let born = fields.nth(17)?.to_owned();
    (state != "Z").then_some(Stat { parent, born })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command_spec::CommandSpec;

    #[tokio::test]
    async fn what_is_left_is_found_and_ended() {
        let script = "sleep 1000 & wait";
        let mut child = CommandSpec::new("sh")
            .args(["-c", script])
            .command()
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
        let family = async {
            loop {
                // Another test's children are not this one's to end.
                let ours = |one: &Known| {
                    one.pid == pid || stat(one.pid).is_some_and(|one| one.parent == pid)
                };
                let family: Vec<Known> = descendants(&[]).into_iter().filter(ours).collect();
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
            "a kept one with all of its own"
        );
        let line = family[0].to_line();
        assert_eq!(Known::from_line(&line), Some(family[0].clone()));
        tell(&family, Signal::SIGTERM);
        gone(&family, Duration::from_secs(5)).await;
        child.wait().await.unwrap();
        assert_eq!(Known::of(pid), None);
    }
}
