//! The queues, as RabbitMQ sees them.

use crate::{
    broker,
    endpoints::{Endpoints, PATIENCE},
    http,
};
use anyhow::Context as _;
use events::{
    legacy,
    topology::{self, Queue},
};
use messaging::admin::{self, Depth};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
    pub(crate) in_the_way: Option<InTheWay>,
    /// Exchanges of replaced services whose messages it receives.
    pub(crate) old_exchanges: BTreeSet<String>,
}

/// A queue of another system: it has the name of one of ours and other properties, so RabbitMQ refuses to declare ours
/// (406).
#[derive(Serialize)]
pub(crate) struct InTheWay {
    pub(crate) name: &'static str,
    pub(crate) messages: u64,
    pub(crate) consumers: u64,
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
            in_the_way: in_the_way(&queues, queue),
            old_exchanges: old_exchanges(&bindings, queue),
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
    of_queue(bindings, name)
        .filter(|(exchange, _)| *exchange == topology::EXCHANGE)
        .map(|(_, key)| key.to_owned())
        .collect()
}

/// Other exchanges with which a queue is bound by the keys of the replaced services.
fn old_exchanges(bindings: &Value, queue: &Queue) -> BTreeSet<String> {
    of_queue(bindings, queue.name)
        .filter(|(exchange, key)| {
            // Every queue is also bound to the nameless exchange, under its own name.
            let is_other = ![topology::EXCHANGE, ""].contains(exchange);
            is_other && legacy::keys(queue).any(|old| old == *key)
        })
        .map(|(exchange, _)| exchange.to_owned())
        .collect()
}

/// Exchange and key of each binding of a queue.
fn of_queue<'a>(bindings: &'a Value, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let bindings = bindings.as_array().into_iter().flatten();
    bindings
        .filter(move |binding| binding["destination"] == name)
        .filter_map(|binding| {
            Some((
                binding["source"].as_str()?,
                binding["routing_key"].as_str()?,
            ))
        })
}

/// Looks for a queue of another system at the place of a queue or of its crashed queue.
fn in_the_way(queues: &Value, queue: &Queue) -> Option<InTheWay> {
    let definitions = messaging::topology::definitions("");
    let named = |list: &Value, name: &str| {
        let mut queues = list.as_array().into_iter().flatten();
        queues.find(|queue| queue["name"] == name).cloned()
    };
    let names = [queue.name, queue.crashed];
    names.into_iter().find_map(|name| {
        let wanted = named(&definitions["queues"], name)?;
        let existing = named(queues, name)?;
        let count = |what: &str| existing[what].as_u64().unwrap_or_default();
        (properties(&existing) != properties(&wanted)).then(|| InTheWay {
            name,
            messages: count("messages"),
            consumers: count("consumers"),
        })
    })
}

/// The properties of a queue that a declaration compares. The type may stand among the arguments, or beside them.
fn properties(queue: &Value) -> Value {
    const TYPE: &str = "x-queue-type";
    let mut arguments = queue["arguments"].clone();
    let kind = match arguments
        .as_object_mut()
        .and_then(|arguments| arguments.remove(TYPE))
    {
        Some(kind) => kind,
        None => queue["type"].clone(),
    };
    let flag = |name: &str| queue[name] == true;
    json!([
        kind,
        arguments,
        flag("durable"),
        flag("auto_delete"),
        flag("exclusive")
    ])
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
