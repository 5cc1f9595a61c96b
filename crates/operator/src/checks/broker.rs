//! RabbitMQ: it answers, and it has memory and disk.

use super::{finding::Finding, finding::Id, queues};
use crate::{
    broker,
    endpoints::{Endpoints, PATIENCE},
    queues::{management, states},
};
use messaging::{BrokerError, admin};
use serde_json::Value;

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    if let Some(finding) = connection(endpoints).await {
        return vec![finding.unit("rabbitmq")];
    }
    match tokio::time::timeout(PATIENCE, look(endpoints)).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => vec![management_fails(endpoints, &error.root_cause().to_string())],
        Err(_) => vec![management_fails(
            endpoints,
            &format!("no answer within {} s", PATIENCE.as_secs()),
        )],
    }
}

/// Connects as the services do. `None`: it works.
async fn connection(endpoints: &Endpoints) -> Option<Finding> {
    let restart = endpoints.command_line.restart("rabbitmq");
    let Ok(broker) = broker::of(endpoints) else {
        return Some(
            Finding::broken(Id::AddressMissing, "the address of RabbitMQ is not known")
                .hint("set AMQP_URL"),
        );
    };
    let silent = || {
        let how = endpoints.how_it_hangs("rabbitmq");
        Finding::broken(Id::BrokerUnresponsive, format!("RabbitMQ {how}"))
    };
    let connected = tokio::time::timeout(PATIENCE, admin::depths(&broker, &[])).await;
    let finding = match connected {
        Ok(Ok(_)) => return None,
        Ok(Err(BrokerError::Unreachable(_))) => {
            let how = endpoints.how_it_ended("rabbitmq");
            Finding::broken(Id::BrokerUnreachable, format!("RabbitMQ {how}"))
        }
        Ok(Err(BrokerError::Amqp(error))) => {
            let what = format!("RabbitMQ refuses the login of AMQP_URL: {error}");
            let hint = "the password, or the virtual host, is not that of the broker";
            return Some(Finding::broken(Id::BrokerRefused, what).hint(hint));
        }
        Ok(Err(_)) | Err(_) => silent(),
    };
    Some(finding.try_(restart))
}

/// Events go on; what the management tells is not known.
fn management_fails(endpoints: &Endpoints, error: &str) -> Finding {
    Finding::warning(
        Id::ManagementUnreachable,
        format!("RabbitMQ works, and its management does not answer: {error}"),
    )
    .unit("rabbitmq")
    .hint("alarms, queues, bindings and missing events are not checked")
    .try_(endpoints.command_line.restart("rabbitmq"))
}

async fn look(endpoints: &Endpoints) -> anyhow::Result<Vec<Finding>> {
    let overview = management(endpoints, "overview").await?;
    let version = overview["rabbitmq_version"]
        .as_str()
        .unwrap_or("of unknown version");
    let answers = format!("RabbitMQ answers ({version})");
    let mut findings = vec![Finding::good(Id::Broker, answers).unit("rabbitmq")];
    let nodes = management(endpoints, "nodes").await?;
    for node in nodes.as_array().into_iter().flatten() {
        findings.extend(alarms(endpoints, node));
    }
    findings.extend(queues::check(endpoints, &states(endpoints).await?));
    Ok(findings)
}

fn alarms(endpoints: &Endpoints, node: &Value) -> Vec<Finding> {
    let mebibytes = |what: &str| node[what].as_u64().unwrap_or_default() / 1_048_576;
    let mut findings = Vec::new();
    if node["disk_free_alarm"] == true {
        let (free, limit) = (mebibytes("disk_free"), mebibytes("disk_free_limit"));
        findings.push(
            Finding::broken(
                Id::DiskAlarm,
                format!(
                    "RabbitMQ takes no events: its disk has {free} MiB free, and it wants {limit} MiB"
                ),
            )
            .figure("free_mib", free)
            .figure("wanted_mib", limit)
            .hint("make room on that disk, and it goes on by itself; a restart does not help"),
        );
    }
    if node["mem_alarm"] == true {
        let (used, limit) = (mebibytes("mem_used"), mebibytes("mem_limit"));
        findings.push(
            Finding::broken(
                Id::MemoryAlarm,
                format!(
                    "RabbitMQ takes no events: it uses {used} MiB of memory, and may use {limit} MiB"
                ),
            )
            .figure("used_mib", used)
            .figure("limit_mib", limit)
            .hint("it goes on by itself when the consumers have caught up, or with more memory; the queues:")
            .try_(endpoints.command_line.operator("queues")),
        );
    }
    if findings.is_empty() {
        findings.push(Finding::good(
            Id::BrokerResources,
            "RabbitMQ has memory and disk",
        ));
    }
    let unit = |finding: Finding| finding.unit("rabbitmq");
    findings.into_iter().map(unit).collect()
}
