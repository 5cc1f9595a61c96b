//! What the alert rules and the dashboard look at exists in a running system.

use crate::beside_others;
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};
use test_support::{Stack, Unit, eventually, servers};

const RULES: &str = include_str!("../../deploy/prometheus/alerts.yml");

/// The metrics that the rules name, by the beginning of their names.
fn watched(prefix: &str) -> BTreeSet<&'static str> {
    let names = RULES.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// The metrics that a page of figures has.
async fn exported(url: &str) -> BTreeSet<String> {
    let page = reqwest::get(url).await.expect("it answers");
    let page = page.text().await.expect("it is a text");
    let names = page
        .lines()
        .filter_map(|line| line.split(['{', ' ']).next());
    names.map(str::to_owned).collect()
}

/// Where RabbitMQ exports its figures: the management API lists its listeners.
async fn broker_figures() -> String {
    let overview = reqwest::get(format!("{}/api/overview", servers::management_url()))
        .await
        .expect("the management API answers");
    let overview: Value = overview.json().await.expect("it is JSON");
    let listeners = overview["listeners"].as_array().into_iter().flatten();
    let port = listeners
        .filter(|listener| listener["protocol"] == "http/prometheus")
        .find_map(|listener| listener["port"].as_u64());
    format!(
        "http://127.0.0.1:{}/metrics/per-object",
        port.expect("its plug-in for Prometheus is on")
    )
}

#[tokio::test]
async fn every_metric_of_the_alert_rules_is_exported() {
    let _turn = beside_others().await;
    let stack = Stack::start().await;
    let (ours, theirs) = (watched("medtrack_"), watched("rabbitmq_"));
    assert!(ours.len() >= 6 && theirs.len() >= 2, "{ours:?} {theirs:?}");
    eventually(
        Duration::from_secs(15),
        "the processes export what the rules name",
        async || {
            let mut all = BTreeSet::new();
            for unit in Unit::ALL {
                all.extend(exported(&format!("http://{}/metrics", stack.internal(unit))).await);
            }
            ours.iter().all(|name| all.contains(*name))
        },
    )
    .await;
    let url = broker_figures().await;
    eventually(
        Duration::from_secs(15),
        "RabbitMQ exports what the rules name",
        async || {
            let all = exported(&url).await;
            theirs.iter().all(|name| all.contains(*name))
        },
    )
    .await;
}

#[tokio::test]
async fn every_process_exports_each_of_its_checks_and_the_time_of_its_rounds() {
    let _turn = beside_others().await;
    let stack = Stack::start().await;
    for unit in Unit::ALL {
        let (checks, tasks): (&[&str], &[&str]) = match unit {
            Unit::Auth => (
                &["database", "relay"],
                &["relay", "housekeeping", "revocations"],
            ),
            Unit::Profile | Unit::Comm => (&["database", "keys"], &["revocations"]),
            _ => (
                &["database", "relay", "consumer"],
                &["relay", "housekeeping", "consumer"],
            ),
        };
        let url = format!("http://{}/metrics", stack.internal(unit));
        let what = format!("{unit:?} exports {checks:?} and {tasks:?}");
        eventually(Duration::from_secs(15), &what, async || {
            let page = reqwest::get(&url).await.expect("it answers");
            let page = page.text().await.expect("it is a text");
            let check = |name| page.contains(&format!("medtrack_ready{{check=\"{name}\"}} 1"));
            let task = |name| {
                page.contains(&format!(
                    "medtrack_task_finished_seconds{{task=\"{name}\"}}"
                ))
            };
            checks.iter().all(check) && tasks.iter().all(task)
        })
        .await;
    }
}
