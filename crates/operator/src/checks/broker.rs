//! RabbitMQ: it answers, it has memory and disk, its queues are bound and have consumers.

use super::{Finding, without_advice};
use crate::{
    broker,
    endpoints::{Endpoints, PATIENCE},
    queues::{self, InTheWay, QueueState},
};
use events::topology::{SERVICES, Service};
use serde_json::Value;

/// More ready events than this are worth another consumer.
const READY: u64 = 1_000;

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    let restart = || endpoints.command_line.restart("rabbitmq");
    match tokio::time::timeout(PATIENCE, run(endpoints)).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![Finding::broken(
            format!(
                "RabbitMQ: {}; registration goes on, events wait in the outbox",
                without_advice(&error)
            ),
            restart(),
        )],
        Err(_) => vec![Finding::broken(
            "RabbitMQ does not answer in time",
            restart(),
        )],
    }
}

async fn run(endpoints: &Endpoints) -> anyhow::Result<Vec<Finding>> {
    let overview = queues::management(endpoints, "overview").await?;
    let version = overview["rabbitmq_version"]
        .as_str()
        .unwrap_or("of unknown version");
    let mut findings = vec![Finding::good(format!("RabbitMQ answers ({version})"))];
    let nodes = queues::management(endpoints, "nodes").await?;
    for node in nodes.as_array().into_iter().flatten() {
        findings.extend(alarms(endpoints, node));
    }
    let states = queues::states(endpoints).await?;
    for service in SERVICES {
        let state = states.iter().find(|state| state.name == service.queue.name);
        match state {
            Some(state) => findings.extend(queue(endpoints, service, state)),
            None => findings.push(Finding::broken(
                format!("the queue {} is missing", service.queue.name),
                endpoints.command_line.operator("topology apply"),
            )),
        }
    }
    Ok(findings)
}

fn alarms(endpoints: &Endpoints, node: &Value) -> Vec<Finding> {
    let name = node["name"].as_str().unwrap_or_default();
    let mut findings = Vec::new();
    if node["mem_alarm"] == true {
        findings.push(Finding::broken(
            format!("{name} has no memory left and takes no events"),
            format!(
                "give RabbitMQ more memory, or let the consumers catch up: {}",
                endpoints.command_line.operator("queues")
            ),
        ));
    }
    if node["disk_free_alarm"] == true {
        findings.push(Finding::broken(
            format!("{name} has no disk left and takes no events"),
            "make room on the disk of RabbitMQ; it goes on by itself",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::good("RabbitMQ has memory and disk"));
    }
    findings
}

fn queue(endpoints: &Endpoints, service: &Service, state: &QueueState) -> Vec<Finding> {
    let line = &endpoints.command_line;
    let consumer = format!("{}-consumer", service.short);
    let QueueState {
        name,
        ready,
        consumers,
        crashed,
        ..
    } = state;
    let mut findings = old(endpoints, state);
    let in_the_way = state.in_the_way.as_ref();
    if in_the_way.is_some_and(|other| other.name == service.queue.name) {
        return findings;
    }
    let patterns = service.queue.patterns.iter();
    let missing: Vec<_> = patterns
        .filter(|pattern| !state.bindings.iter().any(|bound| bound == *pattern))
        .collect();
    if !missing.is_empty() {
        findings.push(Finding::broken(
            format!("{name} is not bound to {missing:?}: its service misses events"),
            format!(
                "{}, then {}, which says what was missed",
                line.operator("topology apply"),
                line.operator("doctor")
            ),
        ));
    }
    findings.push(if *consumers == 0 {
        Finding::broken(
            format!("no process consumes {name}: {ready} events wait there"),
            line.restart(&consumer),
        )
    } else if *ready > READY {
        Finding::warning(
            format!("{ready} events are queued in {name} for {consumers} consumers"),
            line.scale(service.short),
        )
    } else {
        Finding::good(format!(
            "{name} has {consumers} consumers, {ready} events ready"
        ))
    });
    if *crashed > 0 {
        findings.push(Finding::warning(
            format!(
                "{crashed} messages ended the consumer of {name} again and again; it parks them as dead"
            ),
            line.restart(&consumer),
        ));
    }
    findings
}

/// What other systems have left at a queue.
fn old(endpoints: &Endpoints, state: &QueueState) -> Vec<Finding> {
    let line = &endpoints.command_line;
    let mut findings = Vec::new();
    if let Some(InTheWay { name, messages, .. }) = state.in_the_way {
        let (holds, discard) = match messages {
            0 => (String::new(), ""),
            _ => (
                format!(" and holds {messages} messages of that system"),
                " --discard-messages",
            ),
        };
        findings.push(Finding::broken(
            format!(
                "the queue {name} of another system stands in the way: it has other properties{holds}"
            ),
            line.operator(&format!("topology replace {name}{discard}")),
        ));
    }
    let configured = broker::compat_exchange();
    for exchange in &state.old_exchanges {
        if configured.as_ref() != Some(exchange) {
            findings.push(Finding::warning(
                format!(
                    "{} receives the messages of the exchange {exchange}, which COMPAT_EXCHANGE does not name",
                    state.name
                ),
                line.operator(&format!("topology unbind {exchange}")),
            ));
        }
    }
    findings
}
