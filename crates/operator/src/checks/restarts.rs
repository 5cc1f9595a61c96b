//! Processes that end again and again. The launcher notes each end; of a container, only the last start can be seen.

use super::{
    finding::{Finding, Id, seconds_since},
    probe::{self, Answer},
    processes::Process,
};
use crate::{
    endpoints::Endpoints,
    words::{count, seconds},
};
use events::topology::Unit;
use futures_util::future::join_all;
use std::time::{Duration, SystemTime};

/// The ends within so many seconds are counted.
const WINDOW: u64 = 600;
/// So many ends within the window are worth a look.
const OFTEN: usize = 3;
/// The time of a process's start, in seconds since 1970.
const START: &str = "process_start_time_seconds ";

pub(super) async fn check(endpoints: &Endpoints, processes: &[Process<'_>]) -> Vec<Finding> {
    if endpoints.units().is_empty() {
        return last_starts(processes).await.into_iter().collect();
    }
    let loops = endpoints
        .units()
        .iter()
        .filter_map(|unit| crash_loop(endpoints, unit));
    let loops: Vec<Finding> = loops.collect();
    if loops.is_empty() {
        let what = format!(
            "no process has ended more than twice within {}",
            seconds(WINDOW)
        );
        return vec![Finding::good(Id::Restarts, what)];
    }
    loops
}

fn crash_loop(endpoints: &Endpoints, unit: &Unit) -> Option<Finding> {
    let name = unit.unit.clone();
    let crashes = unit.crashes.iter();
    let lately: Vec<_> = crashes
        .filter(|crash| seconds_since(crash.at) < WINDOW)
        .collect();
    let last = lately.last().filter(|_| lately.len() >= OFTEN)?;
    let what = format!(
        "{name} ended and was started again {} within {}, last {} ago: {}",
        count(lately.len() as u64, "time"),
        seconds(WINDOW),
        seconds(seconds_since(last.at)),
        last.how
    );
    let mut finding = Finding::warning(Id::RestartLoop, what)
        .unit(&name)
        .figure("ends", lately.len() as u64)
        .figure("window_seconds", WINDOW)
        .figure("last_seconds", seconds_since(last.at))
        .hint("its last lines say why; a restart by hand begins the count anew:")
        .try_(endpoints.command_line.logs(&name))
        .try_(endpoints.command_line.restart(&name));
    finding.service = events::topology::SERVICES
        .into_iter()
        .find(|service| name.starts_with(&format!("{}-", service.short)))
        .map(|service| service.short);
    Some(finding)
}

/// What can be seen of containers from inside of one.
async fn last_starts(processes: &[Process<'_>]) -> Option<Finding> {
    let ages = processes.iter().map(async |process| {
        let age = age(&process.url).await?;
        Some((age, process.name.as_str()))
    });
    let ages = join_all(ages).await;
    let (age, name) = ages.into_iter().flatten().min()?;
    let what = format!(
        "the last start of a process was {} ago ({name}); earlier ones cannot be seen from here, docker ps shows them",
        seconds(age)
    );
    Some(Finding::good(Id::Restarts, what).figure("last_start_seconds", age))
}

/// For how long a process runs, as its figures say.
async fn age(url: &str) -> Option<u64> {
    let Answer::Response(response) = probe::get(&format!("{url}/metrics")).await else {
        return None;
    };
    started(&response.body)
}

fn started(figures: &str) -> Option<u64> {
    let line = figures.lines().find_map(|line| line.strip_prefix(START))?;
    let started: f64 = line.trim().parse().ok()?;
    let started = SystemTime::UNIX_EPOCH + Duration::try_from_secs_f64(started).ok()?;
    Some(started.elapsed().unwrap_or_default().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;

    #[test]
    fn the_start_is_read_from_the_figures() {
        let started_at = Utc::now().timestamp() - 90;
        let figures = format!("# TYPE x gauge\nx 1\n\n{START}{started_at}\n");
        assert!(started(&figures).is_some_and(|age| (89..=95).contains(&age)));
        assert_eq!(started("x 1\n"), None);
    }
}
