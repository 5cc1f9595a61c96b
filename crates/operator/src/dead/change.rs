//! Discarding parked events, and bringing them back.

use super::ParkedEvent;
use crate::endpoints::Endpoints;
use anyhow::Context as _;
use events::topology::{SERVICES, Service};
use messaging::admin::{self, Actor};
use uuid::Uuid;

/// What is done with parked events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// They are not handled.
    Discard,
    /// They are as they were before they were discarded.
    Undo,
}

/// Changes events, and records who did it. Returns how many were changed.
pub(crate) async fn apply(
    endpoints: &Endpoints,
    events: &[ParkedEvent],
    change: Change,
    actor: Actor<'_>,
) -> anyhow::Result<usize> {
    let mut changed = 0;
    for (service, ids) in by_service(events) {
        let mut connection = endpoints.database(service).await?;
        let (verb, done) = match change {
            Change::Discard => (
                "discard",
                admin::discard(&mut connection, &ids, actor).await,
            ),
            Change::Undo => (
                "bring back",
                admin::undo(&mut connection, &ids, actor).await,
            ),
        };
        changed += done
            .with_context(|| format!("cannot {verb} the events of {}", service.name))?
            .len();
    }
    Ok(changed)
}

fn by_service(events: &[ParkedEvent]) -> Vec<(&'static Service, Vec<Uuid>)> {
    let ids = |service: &'static Service| {
        let of_service = events.iter().filter(|event| event.service == service.short);
        let ids: Vec<Uuid> = of_service.map(|event| event.parked.event_id).collect();
        (service, ids)
    };
    let services = SERVICES.into_iter().map(ids);
    services.filter(|(_, ids)| !ids.is_empty()).collect()
}
