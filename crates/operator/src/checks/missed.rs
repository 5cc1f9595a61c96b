//! What was published and has not arrived: a binding was missing, a queue was purged, or a database was restored. The
//! broker does not tell, so the outboxes are compared with what the services have received.

use super::finding::{Finding, Id};
use crate::{
    endpoints::{Endpoints, PATIENCE},
    queues::{self, QueueState},
    replay::{Comparison, TEXT_IS_KEPT, Wanted},
    words::count,
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
        Err(_) => {
            let what = format!("what {} has received takes long to compare", service.name);
            let replay = format!("events replay --since 3d --to {} --dry-run", service.short);
            let finding = Finding::warning(Id::ComparisonUnfinished, what)
                .hint("this takes as long as it needs and changes nothing:")
                .try_(endpoints.command_line.operator(&replay));
            vec![finding.of(service).unit(service.name)]
        }
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
    fn findings(&self, endpoints: &Endpoints, service: &'static Service) -> Vec<Finding> {
        let Service { short, name, .. } = service;
        let line = &endpoints.command_line;
        let reconcile = || line.operator("reconcile --fix");
        let mut findings = Vec::new();
        if let Some(first) = self.first {
            let since = first.to_rfc3339_opts(SecondsFormat::Secs, true);
            let replay = line.operator(&format!("events replay --since {since} --to {short}"));
            let events = count(self.with_text, "event");
            let what = format!("{name} has missed {events}: published, and never received");
            let mut finding = Finding::broken(Id::EventsMissed, what)
                .figure("events", self.with_text)
                .try_(replay);
            if first < Utc::now() - TEXT_IS_KEPT + NEAR_THE_END {
                finding = finding.try_(reconcile());
            }
            findings.push(finding);
        }
        if self.without_text > 0 {
            let events = count(self.without_text, "event");
            let what = format!("{name} has missed {events} whose text is not kept any more");
            findings.push(
                Finding::broken(Id::EventsMissedWithoutText, what)
                    .figure("events", self.without_text)
                    .try_(reconcile()),
            );
        }
        if findings.is_empty() {
            let what = format!("{name} has received all events");
            findings.push(Finding::good(Id::Delivery, what));
        }
        let of_service = |finding: Finding| finding.of(service).unit(*name);
        findings.into_iter().map(of_service).collect()
    }
}
