//! The queues, as RabbitMQ sees them.

use super::list;
use crate::broker;
use crate::endpoints::{Endpoints, PATIENCE};
use anyhow::Context as _;
use events::topology;
use messaging::admin;
use serde::Serialize;
use serde_json::Value;

/// A queue of ours.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) ready: u64,
    pub(super) unacknowledged: u64,
    pub(super) consumers: u64,
    pub(super) bindings: Vec<String>,
    /// Messages that ended their consumer again and again.
    pub(super) crashed: u64,
}

pub(crate) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<()> {
    let rows = ask(endpoints).await?;
    list::say(
        &rows,
        json,
        "There is no queue; try: ./medtrack topology apply",
        &[
            "QUEUE",
            "READY",
            "UNACKED",
            "CONSUMERS",
            "CRASHED",
            "BINDINGS",
        ],
        |row| {
            vec![
                row.name.into(),
                row.ready.to_string(),
                row.unacknowledged.to_string(),
                row.consumers.to_string(),
                row.crashed.to_string(),
                row.bindings.join(" "),
            ]
        },
    )
}

/// The queues of the topology that the broker has.
pub(super) async fn ask(endpoints: &Endpoints) -> anyhow::Result<Vec<Row>> {
    let vhost = vhost(endpoints)?;
    let (queues, bindings) = (
        manage(endpoints, &format!("queues/{vhost}")).await?,
        manage(endpoints, &format!("bindings/{vhost}")).await?,
    );
    let found = |name: &str| {
        queues
            .as_array()
            .into_iter()
            .flatten()
            .find(|queue| queue["name"] == name)
    };
    let number = |queue: &Value, field: &str| queue[field].as_u64().unwrap_or_default();
    let names: Vec<_> = topology::queues()
        .flat_map(|queue| [queue.name, queue.crashed])
        .collect();
    let depths = admin::depths(&broker::of(endpoints)?, &names).await;
    let depths = depths.context("RabbitMQ does not answer; try: ./medtrack doctor")?;
    let depth = |name: &str| {
        names
            .iter()
            .position(|known| *known == name)
            .and_then(|i| depths[i])
    };
    let rows = topology::queues().filter_map(|wanted| {
        let ((ready, consumers), queue) = (depth(wanted.name)?, found(wanted.name));
        let keys = bindings.as_array().into_iter().flatten();
        let keys =
            keys.filter(|binding| binding["destination"] == wanted.name && binding["source"] != "");
        Some(Row {
            name: wanted.name,
            ready: ready.into(),
            unacknowledged: queue
                .map(|queue| number(queue, "messages_unacknowledged"))
                .unwrap_or_default(),
            consumers: consumers.into(),
            bindings: keys
                .filter_map(|binding| binding["routing_key"].as_str().map(str::to_owned))
                .collect(),
            crashed: depth(wanted.crashed)
                .map(|(ready, _)| ready.into())
                .unwrap_or_default(),
        })
    });
    Ok(rows.collect())
}

/// Asks RabbitMQ's management API.
pub(super) async fn manage(endpoints: &Endpoints, path: &str) -> anyhow::Result<Value> {
    let url = format!("{}/api/{path}", endpoints.get("RABBITMQ_MANAGEMENT_URL")?);
    let asked = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()?
        .get(url)
        .send()
        .await;
    // The address holds a password: its own error would show it.
    let response = asked
        .and_then(reqwest::Response::error_for_status)
        .map_err(reqwest::Error::without_url);
    let response =
        response.context("RabbitMQ's management does not answer; try: ./medtrack doctor")?;
    Ok(response.json().await.map_err(reqwest::Error::without_url)?)
}

/// The virtual host of AMQP_URL, as it stands in a path.
fn vhost(endpoints: &Endpoints) -> anyhow::Result<String> {
    let url: reqwest::Url = endpoints
        .get("AMQP_URL")?
        .parse()
        .context("AMQP_URL is not an address")?;
    Ok(match url.path().trim_start_matches('/') {
        "" => "%2f".into(),
        vhost => vhost.into(),
    })
}
