//! What processes use: CPU, read from `/proc` (proc(5)).

use serde_json::Value;
use std::{collections::HashMap, fs, time::Duration};
use test_support::{Stack, Unit, eventually, servers};

/// The kernel counts CPU in hundredths of a second for programs (`sysconf(_SC_CLK_TCK)` of Linux).
const TICKS_PER_SECOND: f64 = 100.0;

/// Knows the processes of PostgreSQL and RabbitMQ.
pub(crate) struct Cpu {
    postgres: i32,
    rabbitmq: i32,
}

/// Seconds of CPU since the start of each process.
pub(crate) type Seconds = HashMap<String, f64>;

impl Cpu {
    pub(crate) async fn of(stack: &Stack) -> Self {
        let backend: i32 = stack.auth.value("pg_backend_pid()").await.parse().unwrap();
        let url = format!("{}/api/nodes", servers::management_url());
        // The management API knows a new broker's process after some seconds.
        let what = "RabbitMQ names its process";
        let rabbitmq = eventually(Duration::from_secs(30), what, async || {
            let nodes: Value = reqwest::get(&url).await.ok()?.json().await.ok()?;
            nodes[0]["os_pid"].as_str()?.parse().ok()
        })
        .await;
        Self {
            postgres: Stat::of(backend)
                .expect("the server runs on this machine")
                .parent,
            rabbitmq,
        }
    }

    /// The CPU that each running process has used until now.
    pub(crate) fn now(&self, stack: &Stack) -> Seconds {
        let services = Unit::ALL.into_iter().map(|unit| {
            let seconds = Stat::of(stack.process(unit).pid()).map_or(0.0, |stat| stat.own);
            (format!("{unit:?}"), seconds)
        });
        let servers = [("PostgreSQL", self.postgres), ("RabbitMQ", self.rabbitmq)]
            .map(|(name, pid)| (name.to_owned(), tree(pid)));
        services.chain(servers).collect()
    }
}

/// The CPU that was used between two looks. A process that was started in between has used all of its own.
pub(crate) fn used(before: &Seconds, after: &Seconds) -> Vec<(String, f64)> {
    let mut used: Vec<_> = after
        .iter()
        .map(|(name, seconds)| {
            let earlier = before.get(name).filter(|earlier| *earlier <= seconds);
            (name.clone(), seconds - earlier.unwrap_or(&0.0))
        })
        .collect();
    used.sort_by(|(a, _), (b, _)| a.cmp(b));
    used
}

/// A line of `/proc/<pid>/stat`.
struct Stat {
    parent: i32,
    own: f64,
    /// Of the children that have ended.
    ended_children: f64,
}

impl Stat {
    fn of(pid: i32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything; the third field follows.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let seconds =
            |field: usize| Some(fields.get(field - 3)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: seconds(14)? + seconds(15)?,
            ended_children: seconds(16)? + seconds(17)?,
        })
    }
}

/// The CPU of a process and of its children, those that have ended included.
fn tree(root: i32) -> f64 {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?)))
        .filter(|(pid, stat)| *pid == root || stat.parent == root)
        .map(|(_, stat)| stat.own + stat.ended_children)
        .sum()
}
