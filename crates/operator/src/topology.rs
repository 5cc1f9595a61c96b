//! Exchange, queues and bindings.

use crate::{
    audit, broker,
    endpoints::Endpoints,
    queues::{self, InTheWay},
    words::count,
};
use anyhow::bail;
use events::topology::{EXCHANGE, SERVICES, Service};
use messaging::{
    BrokerError,
    admin::{self, Actor, Deed},
};
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
    let applied = messaging::topology::apply(&broker).await;
    applied.map_err(|error| explained(endpoints, error, "the topology cannot be declared"))?;
    // Where a database does not answer, its events are tried again within a minute all the same.
    for service in SERVICES {
        if let Ok(mut connection) = endpoints.database(service).await {
            let _ = admin::retry_unroutable(&mut connection).await;
        }
    }
    Ok(())
}

/// What helps depends on whether the broker refuses the login, or fails.
fn explained(endpoints: &Endpoints, error: BrokerError, what: &str) -> anyhow::Error {
    let advice = match error.is_refused() {
        true => "try: a login that may do it, in AMQP_URL".to_owned(),
        false => endpoints.advice("doctor"),
    };
    anyhow::Error::new(error).context(format!("{what}; {advice}"))
}

/// A queue of another system that stands in the way of one of ours, and the service that lacks its queue.
pub(crate) struct ForeignQueue {
    pub(crate) queue: InTheWay,
    pub(crate) service: &'static Service,
}

/// Finds a queue of another system by its name. Fails where none stands in the way, or where its consumers would declare
/// it again.
pub(crate) async fn foreign_queue(
    endpoints: &Endpoints,
    name: &str,
) -> anyhow::Result<ForeignQueue> {
    let states = queues::states(endpoints).await?;
    let others = states.into_iter().filter_map(|state| {
        let service = SERVICES
            .into_iter()
            .find(|one| one.queue.name == state.name)?;
        let queue = state.in_the_way.filter(|queue| queue.name == name)?;
        Some(ForeignQueue { queue, service })
    });
    let Some(mut other) = { others }.next() else {
        bail!(
            "no queue {name} of another system stands in the way; {}",
            endpoints.advice("doctor")
        );
    };
    if other.queue.consumers > 0 {
        bail!(
            "{name} still has {}, which would declare it again; try: stop the system that it belongs to",
            count(other.queue.consumers, "consumer")
        );
    }
    let waiting = messaging::topology::waiting_messages(&broker::of(endpoints)?, name).await;
    let what = format!("the messages in {name} cannot be counted");
    if let Some(waiting) = waiting.map_err(|error| explained(endpoints, error, &what))? {
        other.queue.messages = waiting;
    }
    Ok(other)
}

/// Deletes a queue of another system with its messages, and declares ours.
pub(crate) async fn replace(
    endpoints: &Endpoints,
    other: &ForeignQueue,
    actor: Actor<'_>,
) -> anyhow::Result<()> {
    let InTheWay { name, messages, .. } = other.queue;
    let detail = format!(
        "{name} of another system, with {}",
        count(messages, "message")
    );
    let deed = Deed {
        verb: "replace_queue",
        event_id: None,
        routing_key: "",
        detail: &detail,
    };
    let broker = broker::of(endpoints)?;
    let delete = async {
        let deleted = messaging::topology::delete(&broker, name).await;
        deleted.map_err(|error| explained(endpoints, error, &format!("{name} cannot be deleted")))
    };
    audit::recorded(endpoints, &[other.service], actor, &deed, delete).await?;
    apply(endpoints).await
}

/// Returns the services whose queues receive messages of an exchange of replaced services. Fails where there is none, and
/// where the exchange is in use.
pub(crate) async fn readers(
    endpoints: &Endpoints,
    exchange: &str,
) -> anyhow::Result<Vec<&'static Service>> {
    if broker::compat_exchange().as_deref() == Some(exchange) {
        bail!("COMPAT_EXCHANGE names {exchange}; try: unset it for all services first");
    }
    if exchange == EXCHANGE {
        bail!("{EXCHANGE} is the exchange of this system: without it no event arrives");
    }
    let states = queues::states(endpoints).await?;
    let is_reader = |service: &&'static Service| {
        let mut states = states.iter();
        states
            .any(|state| state.name == service.queue.name && state.old_exchanges.contains(exchange))
    };
    let readers: Vec<_> = SERVICES.into_iter().filter(is_reader).collect();
    if readers.is_empty() {
        bail!(
            "no queue receives messages of an exchange {exchange:?}; {}, which names such an exchange",
            endpoints.advice("doctor")
        );
    }
    Ok(readers)
}

/// Takes away the bindings of these services' queues to an exchange of replaced services.
pub(crate) async fn unbind(
    endpoints: &Endpoints,
    exchange: &str,
    readers: &[&'static Service],
    actor: Actor<'_>,
) -> anyhow::Result<()> {
    let broker = broker::of(endpoints)?;
    let deed = Deed {
        verb: "unbind",
        event_id: None,
        routing_key: "",
        detail: exchange,
    };
    let unbind = async {
        let unbound = messaging::topology::unbind(&broker, exchange).await;
        let what = format!("the bindings to {exchange} cannot be taken away");
        unbound.map_err(|error| explained(endpoints, error, &what))
    };
    audit::recorded(endpoints, readers, actor, &deed, unbind).await
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
