//! Exchange, queues and bindings, declared by a person.

use crate::endpoints::Endpoints;
use anyhow::Context as _;
use events::topology::{EXCHANGE, queues};

pub(crate) async fn apply(endpoints: &Endpoints) -> anyhow::Result<()> {
    let broker = crate::broker::of(endpoints)?;
    messaging::topology::apply(&broker).await.context(
        "the topology cannot be declared; try: a login that may (AMQP_URL), and where a queue has other properties, \
         empty it, delete it in the management UI, and apply again",
    )?;
    say!("The exchange {EXCHANGE} is there, and with it:");
    for queue in queues() {
        say!("  {:<15} {}", queue.name, queue.patterns.join(" "));
    }
    Ok(())
}
