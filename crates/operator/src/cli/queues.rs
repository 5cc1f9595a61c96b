//! `medtrack queues`.

use super::table::Columns;
use crate::{
    endpoints::Endpoints,
    queues::{self, QueueState},
};

pub(super) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<()> {
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
    columns.print(&queues::states(endpoints).await?, json)
}
