//! The queues: they exist, are bound, and have consumers; no other system's queue stands in the way.

use super::finding::{Finding, Id};
use crate::{
    broker,
    endpoints::Endpoints,
    queues::{InTheWay, QueueState},
    words::count,
};
use events::topology::{SERVICES, Service};

/// More ready events than this are worth another consumer.
const READY: u64 = 1_000;

pub(super) fn check(endpoints: &Endpoints, states: &[QueueState]) -> Vec<Finding> {
    let of_service = |service: &'static Service| {
        let name = service.queue.name;
        let state = states.iter().find(|state| state.name == name);
        let findings = match state {
            Some(state) => queue(endpoints, service, state),
            None => vec![
                Finding::broken(
                    Id::QueueMissing,
                    format!("the queue {name} is missing: its service receives nothing"),
                )
                .try_(endpoints.command_line.operator("topology apply")),
            ],
        };
        findings
            .into_iter()
            .map(move |finding| finding.of(service).unit(name))
    };
    SERVICES.into_iter().flat_map(of_service).collect()
}

fn queue(endpoints: &Endpoints, service: &Service, state: &QueueState) -> Vec<Finding> {
    let line = &endpoints.command_line;
    let name = state.name;
    let mut findings = old(endpoints, state);
    let in_the_way = state.in_the_way.as_ref();
    if in_the_way.is_some_and(|other| other.name == name) {
        return findings;
    }
    let patterns = service.queue.patterns.iter().copied();
    let missing: Vec<_> = patterns
        .filter(|pattern| !state.bindings.iter().any(|bound| bound == pattern))
        .collect();
    if !missing.is_empty() {
        let what = format!(
            "{name} is not bound to {}: its service misses these events",
            missing.join(", ")
        );
        findings.push(
            Finding::broken(Id::BindingMissing, what)
                .figure("patterns", missing.len() as u64)
                .hint("bind it, then ask again what was missed meanwhile")
                .try_(line.operator("topology apply"))
                .try_(line.operator("doctor")),
        );
    }
    findings.push(consumers(endpoints, service, state));
    if state.crashed > 0 {
        let what = format!(
            "{} ended the consumer of {name} again and again",
            count(state.crashed, "message")
        );
        findings.push(
            Finding::warning(Id::MessagesCrashed, what)
                .figure("messages", state.crashed)
                .hint("its consumer parks them as dead within a minute; where it does not:")
                .try_(line.restart(&format!("{}-consumer", service.short))),
        );
    }
    findings
}

fn consumers(endpoints: &Endpoints, service: &Service, state: &QueueState) -> Finding {
    let line = &endpoints.command_line;
    let QueueState {
        name,
        ready,
        consumers,
        ..
    } = state;
    let events = count(*ready, "event");
    let finding = if *consumers == 0 {
        let waits = if *ready == 1 { "waits" } else { "wait" };
        let what = format!("no process consumes {name}: {events} {waits} there");
        Finding::broken(Id::QueueWithoutConsumer, what)
            .try_(line.restart(&format!("{}-consumer", service.short)))
    } else if *ready > READY {
        let what = format!(
            "{events} wait in {name} for {}",
            count(*consumers, "consumer")
        );
        Finding::warning(Id::QueueBacklog, what)
            .hint("the consumers work; one more is faster:")
            .try_(line.scale(service.short))
    } else {
        let what = format!(
            "{name} has {}, {events} ready",
            count(*consumers, "consumer")
        );
        Finding::good(Id::Queue, what)
    };
    finding
        .figure("events", *ready)
        .figure("consumers", *consumers)
}

/// What other systems have left at a queue.
fn old(endpoints: &Endpoints, state: &QueueState) -> Vec<Finding> {
    let line = &endpoints.command_line;
    let mut findings = Vec::new();
    if let Some(InTheWay { name, messages, .. }) = state.in_the_way {
        let holds = match messages {
            0 => String::new(),
            _ => format!(" and holds {} of that system", count(messages, "message")),
        };
        let what = format!(
            "the queue {name} of another system stands in the way: it has other properties{holds}"
        );
        findings.push(
            Finding::broken(Id::QueueForeign, what)
                .figure("messages", messages)
                .try_(line.operator(&format!("topology replace {name}"))),
        );
    }
    let configured = broker::compat_exchange();
    for exchange in &state.old_exchanges {
        if configured.as_ref() != Some(exchange) {
            let what = format!(
                "{} receives the messages of the exchange {exchange}, which COMPAT_EXCHANGE does not name",
                state.name
            );
            findings.push(
                Finding::warning(Id::ExchangeForeign, what)
                    .try_(line.operator(&format!("topology unbind {exchange}"))),
            );
        }
    }
    findings
}
