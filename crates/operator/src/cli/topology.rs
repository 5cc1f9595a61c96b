//! `medtrack topology`.

use crate::{endpoints::Endpoints, topology};
use clap::Subcommand;
use events::topology::{EXCHANGE, queues};

#[derive(Debug, Subcommand)]
pub(super) enum Topology {
    /// Declare what is missing. The login of AMQP_URL must be allowed to declare it.
    #[command(
        after_help = "Example:\n  AMQP_URL=amqp://operator:…@127.0.0.1:5672/%2f medtrack topology apply"
    )]
    Apply,
}

impl Topology {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let Topology::Apply = self;
        topology::apply(endpoints).await?;
        say!("The exchange {EXCHANGE} is there, and with it:");
        for queue in queues() {
            say!("  {:<15} {}", queue.name, queue.patterns.join(" "));
        }
        Ok(())
    }
}
