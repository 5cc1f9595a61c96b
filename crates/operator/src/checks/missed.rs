//! What was published and has not arrived: a binding was missing, a queue was purged, or a database was restored. The
//! broker does not tell, so the outboxes are compared with what the services have received.

use super::Finding;
use crate::{
    endpoints::{Endpoints, PATIENCE},
    queues::{self, QueueState},
    replay::{Comparison, TEXT_IS_KEPT, Wanted},
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use events::topology::{SERVICES, Service};
use futures_util::future::join_all;
use messaging::admin;

/// How many events of each producer are compared.
const LAST: i64 = 20_000;
/// Events of the last moments may be under way.
const GRACE: TimeDelta = TimeDelta::seconds(30);
/// When the oldest events that are kept were missed, older ones may have been missed, too.
const NEAR_THE_END: TimeDelta = TimeDelta::hours(1);

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    // Where the broker or a database does not answer, other checks say so.
    let Ok(states) = queues::states(endpoints).await else {
        return Vec::new();
    };
    let checks = SERVICES.map(|service| check_service(endpoints, service, &states));
    join_all(checks).await.into_iter().flatten().collect()
}

async fn check_service(
    endpoints: &Endpoints,
    service: &'static Service,
    states: &[QueueState],
) -> Vec<Finding> {
    // What is still in the queue is not lost.
    let is_empty = |state: &&QueueState| {
        state.name == service.queue.name && state.ready + state.unacknowledged + state.crashed == 0
    };
    if !states.iter().any(|state| is_empty(&state)) {
        return Vec::new();
    }
    match tokio::time::timeout(PATIENCE, compare(endpoints, service)).await {
        Ok(Ok(missed)) => missed.findings(endpoints, service),
        Ok(Err(_)) => Vec::new(),
        Err(_) => vec![Finding::warning(
            format!("what {} has received takes long to compare", service.name),
            endpoints.command_line.operator(&format!(
                "events replay --since 3d --to {} --dry-run",
                service.short
            )),
        )],
    }
}

/// What a service has missed.
#[derive(Default)]
struct Missed {
    with_text: u64,
    /// Those whose text is gone, and that no later event and no erasure replaces.
    without_text: u64,
    /// When the first one of those with a text was published.
    first: Option<DateTime<Utc>>,
}

async fn compare(endpoints: &Endpoints, reader: &'static Service) -> anyhow::Result<Missed> {
    let wanted = Wanted {
        queue: &reader.queue,
        key: None,
    };
    let mut missed = Missed::default();
    for producer in SERVICES {
        let mut outbox = endpoints.database(producer).await?;
        let oldest_kept = Utc::now() - TEXT_IS_KEPT;
        let cut = admin::published_before(&mut outbox, LAST).await?;
        let since = cut.unwrap_or(oldest_kept);
        let mut comparison = Comparison::begin(endpoints, producer, reader, since).await?;
        comparison.end_before(GRACE);
        while let Some(page) = comparison.next(&wanted).await? {
            for event in page.missed {
                if event.has_text {
                    // Where not all are compared, the first one is not known.
                    let first = cut.map_or(event.published_at, |_| oldest_kept);
                    missed.with_text += 1;
                    missed.first = Some(missed.first.unwrap_or(first).min(first));
                } else if !event.is_obsolete {
                    missed.without_text += 1;
                }
            }
        }
    }
    Ok(missed)
}

impl Missed {
    fn findings(&self, endpoints: &Endpoints, service: &Service) -> Vec<Finding> {
        let Service { short, name, .. } = service;
        let line = &endpoints.command_line;
        let reconcile = line.operator("reconcile --fix");
        let mut findings = Vec::new();
        if let Some(first) = self.first {
            let since = first.to_rfc3339_opts(SecondsFormat::Secs, true);
            let mut advice = line.operator(&format!("events replay --since {since} --to {short}"));
            if first < Utc::now() - TEXT_IS_KEPT + NEAR_THE_END {
                advice = format!("{advice}, then {reconcile}");
            }
            findings.push(Finding::broken(
                format!("{name} has missed {} events that are kept", self.with_text),
                advice,
            ));
        }
        if self.without_text > 0 {
            findings.push(Finding::broken(
                format!(
                    "{name} has missed {} events whose text is gone",
                    self.without_text
                ),
                reconcile,
            ));
        }
        if findings.is_empty() {
            findings.push(Finding::good(format!("{name} has received all events")));
        }
        findings
    }
}
