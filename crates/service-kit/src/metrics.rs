//! Prometheus metrics of the process.

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// From half a millisecond to ten seconds.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// Starts collecting; the handle renders what was collected. Call it once.
///
/// # Errors
/// When it was started before.
pub fn init() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .context("the buckets of the histograms are not accepted")?
        .install_recorder()
        .context("metrics were started twice")
}
