//! Exchange, queues and bindings.

use crate::{broker, endpoints::Endpoints, queues};
use anyhow::Context as _;
use events::topology::SERVICES;
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
        "the topology cannot be declared; try: a login that may declare it (AMQP_URL); if a queue has other \
         properties, empty it, delete it in the management UI, and apply again",
    )
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
