//! The queues, as RabbitMQ sees them.

use crate::{
    broker,
    endpoints::{Endpoints, PATIENCE},
    http,
};
use anyhow::Context as _;
use events::topology;
use messaging::admin::{self, Depth};
use serde::Serialize;
use serde_json::Value;

/// The state of a queue of the topology.
#[derive(Serialize)]
pub(crate) struct QueueState {
    pub(crate) name: &'static str,
    pub(crate) ready: u64,
    pub(crate) unacknowledged: u64,
    pub(crate) consumers: u64,
    pub(crate) bindings: Vec<String>,
    /// Messages that ended their consumer again and again.
    pub(crate) crashed: u64,
}

/// Returns the queues of the topology that exist on the broker.
pub(crate) async fn states(endpoints: &Endpoints) -> anyhow::Result<Vec<QueueState>> {
    let vhost = vhost(endpoints)?;
    let (queues, bindings) = (
        management(endpoints, &format!("queues/{vhost}")).await?,
        management(endpoints, &format!("bindings/{vhost}")).await?,
    );
    let names: Vec<_> = topology::queues()
        .flat_map(|queue| [queue.name, queue.crashed])
        .collect();
    let depths = admin::depths(&broker::of(endpoints)?, &names).await;
    let depths = depths
        .with_context(|| format!("RabbitMQ does not answer; {}", endpoints.advice("doctor")))?;
    let depth = |name: &str| {
        let depths = names.iter().zip(&depths);
        depths
            .filter(|(of, _)| **of == name)
            .find_map(|(_, depth)| *depth)
    };
    let states = topology::queues().filter_map(|queue| {
        let Depth { ready, consumers } = depth(queue.name)?;
        let crashed = depth(queue.crashed).map(|depth| depth.ready.into());
        Some(QueueState {
            name: queue.name,
            ready: ready.into(),
            unacknowledged: unacknowledged(&queues, queue.name),
            consumers: consumers.into(),
            bindings: bindings_of(&bindings, queue.name),
            crashed: crashed.unwrap_or_default(),
        })
    });
    Ok(states.collect())
}

fn unacknowledged(queues: &Value, name: &str) -> u64 {
    let mut queues = queues.as_array().into_iter().flatten();
    queues
        .find(|queue| queue["name"] == name)
        .and_then(|queue| queue["messages_unacknowledged"].as_u64())
        .unwrap_or_default()
}

fn bindings_of(bindings: &Value, name: &str) -> Vec<String> {
    let bindings = bindings.as_array().into_iter().flatten();
    // Every queue is also bound to the nameless exchange, under its own name.
    bindings
        .filter(|binding| binding["destination"] == name && binding["source"] != "")
        .filter_map(|binding| binding["routing_key"].as_str().map(str::to_owned))
        .collect()
}

/// Reads a document of RabbitMQ's management API.
pub(crate) async fn management(endpoints: &Endpoints, path: &str) -> anyhow::Result<Value> {
    let url = format!("{}/api/{path}", endpoints.get("RABBITMQ_MANAGEMENT_URL")?);
    let response = http::client(PATIENCE)?.get(url).send().await;
    // The address holds a password: the error would show it.
    let response = response
        .and_then(reqwest::Response::error_for_status)
        .map_err(reqwest::Error::without_url);
    let response = response.with_context(|| {
        format!(
            "RabbitMQ's management does not answer; {}",
            endpoints.advice("doctor")
        )
    })?;
    Ok(response.json().await.map_err(reqwest::Error::without_url)?)
}

/// Returns the virtual host of AMQP_URL, as it stands in a path.
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
