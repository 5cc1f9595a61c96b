//! Exchange, queues and bindings.

use crate::{broker, endpoints::Endpoints, queues};
use anyhow::{Context as _, bail};
use events::topology::SERVICES;
use messaging::admin;
use serde::Serialize;

/// Patterns that a queue is not bound with.
#[derive(Debug, Serialize)]
pub(crate) struct MissingBindings {
    pub(crate) service: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) patterns: Vec<&'static str>,
}

/// Declares what is missing on the broker, with the login of `AMQP_URL`.
pub(crate) async fn apply(endpoints: &Endpoints) -> anyhow::Result<()> {
    let broker = broker::of(endpoints)?;
    messaging::topology::apply(&broker).await.context(
        "the topology cannot be declared; try: a login that may declare it (AMQP_URL), or doctor, which says what \
         stands in the way",
    )?;
    // Where a database does not answer, its events are tried again within a minute all the same.
    for service in SERVICES {
        if let Ok(mut connection) = endpoints.database(service).await {
            let _ = admin::retry_unroutable(&mut connection).await;
        }
    }
    Ok(())
}

/// Deletes a queue of another system that stands in the way of one of ours, and declares ours.
pub(crate) async fn replace(
    endpoints: &Endpoints,
    name: &str,
    discard_messages: bool,
) -> anyhow::Result<()> {
    let states = queues::states(endpoints).await?;
    let mut others = states.iter().filter_map(|state| state.in_the_way.as_ref());
    let Some(other) = others.find(|other| other.name == name) else {
        bail!(
            "no queue {name} stands in the way; {}",
            endpoints.advice("doctor")
        );
    };
    if other.consumers > 0 {
        bail!(
            "{name} still has {} consumers, and they would declare it again; try: stop the system that it belongs to",
            other.consumers
        );
    }
    if other.messages > 0 && !discard_messages {
        let replace = format!("topology replace {name} --discard-messages");
        bail!(
            "{name} holds {} messages of the other system, which are deleted with it; {}",
            other.messages,
            endpoints.advice(&replace)
        );
    }
    let broker = broker::of(endpoints)?;
    messaging::topology::delete(&broker, other.name)
        .await
        .with_context(|| format!("{name} cannot be deleted"))?;
    apply(endpoints).await
}

/// Takes away the bindings of all queues to an exchange of replaced services.
pub(crate) async fn unbind(endpoints: &Endpoints, exchange: &str) -> anyhow::Result<()> {
    if broker::compat_exchange().as_deref() == Some(exchange) {
        bail!("COMPAT_EXCHANGE names {exchange}: unset it for all services first");
    }
    let broker = broker::of(endpoints)?;
    messaging::topology::unbind(&broker, exchange)
        .await
        .with_context(|| format!("the bindings to {exchange} cannot be taken away"))
}

/// Returns the bindings of the topology that the broker does not have.
pub(crate) async fn missing_bindings(
    endpoints: &Endpoints,
) -> anyhow::Result<Vec<MissingBindings>> {
    let states = queues::states(endpoints).await?;
    let missing = SERVICES.iter().filter_map(|service| {
        let queue = &service.queue;
        let state = states.iter().find(|state| state.name == queue.name);
        let is_bound =
            |pattern: &str| state.is_some_and(|state| state.bindings.iter().any(|b| b == pattern));
        let mut patterns = queue.patterns.to_vec();
        patterns.retain(|pattern| !is_bound(pattern));
        (!patterns.is_empty()).then_some(MissingBindings {
            service: service.short,
            queue: queue.name,
            patterns,
        })
    });
    Ok(missing.collect())
}
