//! `medtrack queues`.

use super::table::{self, Columns};
use crate::{
    endpoints::Endpoints,
    queues::{self, QueueState},
};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Queues {
    /// Print at most so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Queues {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let states = queues::states(endpoints).await?;
        let shown = states.len().min(self.limit);
        print(endpoints, &states[..shown], self.json)?;
        table::say_left_out((states.len() - shown) as u64, self.json);
        Ok(())
    }
}

fn print(endpoints: &Endpoints, states: &[QueueState], json: bool) -> anyhow::Result<()> {
    let columns = Columns {
        names: &[
            "QUEUE",
            "READY",
            "UNACKED",
            "CONSUMERS",
            "CRASHED",
            "BINDINGS",
        ],
        none: &format!("There is no queue; {}", endpoints.advice("topology apply")),
        cells: |queue: &QueueState| {
            vec![
                queue.name.into(),
                queue.ready.to_string(),
                queue.unacknowledged.to_string(),
                queue.consumers.to_string(),
                queue.crashed.to_string(),
                queue.bindings.join(" "),
            ]
        },
    };
    columns.print(states, json)
}
