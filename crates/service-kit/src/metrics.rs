//! Prometheus metrics of the process.

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::time::{SystemTime, UNIX_EPOCH};

/// From half a millisecond to ten seconds.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// Starts collecting; the handle renders what was collected. Call it once, at the start of the process: it notes that
/// time, by which an operator sees that a process was started again.
///
/// # Errors
/// When it was started before.
pub fn init() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .context("the buckets of the histograms are not accepted")?
        .install_recorder()
        .context("metrics were started twice")?;
    metrics::gauge!("process_start_time_seconds").set(seconds_since_1970());
    Ok(handle)
}

/// Records that a round of a task has ended: the gauge is the time, in seconds since 1970. The gauge of a task that
/// hangs keeps its old value.
pub fn finished(task: &'static str) {
    metrics::gauge!("medtrack_task_finished_seconds", "task" => task).set(seconds_since_1970());
}

fn seconds_since_1970() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}
