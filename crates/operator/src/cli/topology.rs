//! `medtrack topology`.

use super::{ask, who::Who};
use crate::{
    endpoints::Endpoints,
    topology::{self, ForeignQueue},
    words::count,
};
use clap::Subcommand;
use events::topology::{EXCHANGE, queues};

#[derive(Debug, Subcommand)]
pub(super) enum Topology {
    /// Declare what is missing. The login of AMQP_URL must be allowed to declare it.
    #[command(
        after_help = "Example:\n  AMQP_URL=amqp://operator:…@127.0.0.1:5672/%2f medtrack topology apply"
    )]
    Apply,
    /// Delete a queue of another system that has the name of one of ours, with its messages, and declare ours. `doctor`
    /// says which. It asks before, because the messages cannot be brought back.
    #[command(after_help = "Example:\n  medtrack topology replace comm.events")]
    Replace {
        /// The name of the queue.
        queue: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Stop reading the messages of an exchange that COMPAT_EXCHANGE named earlier. It asks before.
    #[command(after_help = "Example:\n  medtrack topology unbind medtrack.events")]
    Unbind {
        /// The name of the exchange.
        exchange: String,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Consent {
    /// Do it without a question.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    who: Who,
}

impl Topology {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        match self {
            Topology::Apply => topology::apply(endpoints).await?,
            Topology::Replace { queue, consent } => replace(endpoints, &queue, consent).await?,
            Topology::Unbind { exchange, consent } => {
                return unbind(endpoints, &exchange, consent).await;
            }
        }
        say!("The exchange {EXCHANGE} is there, and with it:");
        for queue in queues() {
            say!("  {:<15} {}", queue.name, queue.patterns.join(" "));
        }
        Ok(())
    }
}

async fn replace(endpoints: &Endpoints, name: &str, consent: Consent) -> anyhow::Result<()> {
    let other = topology::foreign_queue(endpoints, name).await?;
    let person = consent.who.person(endpoints)?;
    let ForeignQueue { queue, .. } = &other;
    let question = format!(
        "Delete the queue {} of another system and {} in it? There is no way back.",
        queue.name,
        count(queue.messages, "message")
    );
    ask::ensure_agreed(&question, consent.yes)?;
    topology::replace(endpoints, &other, person.actor()).await
}

async fn unbind(endpoints: &Endpoints, exchange: &str, consent: Consent) -> anyhow::Result<()> {
    let readers = topology::readers(endpoints, exchange).await?;
    let person = consent.who.person(endpoints)?;
    let names: Vec<&str> = readers.iter().map(|service| service.queue.name).collect();
    let names = names.join(" and ");
    let question = format!(
        "Bind {names} no longer to the exchange {exchange}? What is published there from then on is missed. \
         COMPAT_EXCHANGE={exchange} and a restart of all services bind again."
    );
    ask::ensure_agreed(&question, consent.yes)?;
    topology::unbind(endpoints, exchange, &readers, person.actor()).await?;
    say!("{names}: no message of {exchange} arrives there any more.");
    Ok(())
}
