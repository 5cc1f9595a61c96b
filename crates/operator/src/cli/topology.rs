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
    /// Delete a queue of another system that has the name of one of ours, and declare ours. `doctor` says which.
    #[command(after_help = "Example:\n  medtrack topology replace comm.events")]
    Replace {
        /// The name of the queue.
        queue: String,
        /// Delete it with the messages that it holds.
        #[arg(long)]
        discard_messages: bool,
    },
    /// Stop reading the messages of an exchange that COMPAT_EXCHANGE named earlier.
    #[command(after_help = "Example:\n  medtrack topology unbind medtrack.events")]
    Unbind {
        /// The name of the exchange.
        exchange: String,
    },
}

impl Topology {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        match self {
            Topology::Apply => topology::apply(endpoints).await?,
            Topology::Replace {
                queue,
                discard_messages,
            } => topology::replace(endpoints, &queue, discard_messages).await?,
            Topology::Unbind { exchange } => {
                topology::unbind(endpoints, &exchange).await?;
                say!("No queue receives messages of {exchange} any more.");
                return Ok(());
            }
        }
        say!("The exchange {EXCHANGE} is there, and with it:");
        for queue in queues() {
            say!("  {:<15} {}", queue.name, queue.patterns.join(" "));
        }
        Ok(())
    }
}
