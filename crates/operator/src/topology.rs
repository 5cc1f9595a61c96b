//! Exchange, queues and bindings.

use crate::{broker, endpoints::Endpoints};
use anyhow::Context as _;

/// Declares what is missing on the broker, with the login of `AMQP_URL`.
pub(crate) async fn apply(endpoints: &Endpoints) -> anyhow::Result<()> {
    let broker = broker::of(endpoints)?;
    messaging::topology::apply(&broker).await.context(
        "the topology cannot be declared; try: a login that may declare it (AMQP_URL); if a queue has other \
         properties, empty it, delete it in the management UI, and apply again",
    )
}
