//! `medtrack outbox`.

use super::table::{self, Columns};
use crate::{
    endpoints::Endpoints,
    outbox::{self, Outboxes, UnpublishedEvent},
    replay,
    words::ago,
};
use chrono::{DateTime, Utc};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Outbox {
    /// Only events that were committed since: a time (RFC 3339; UTC without a zone), or how long ago (30m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = replay::read_since)]
    since: Option<DateTime<Utc>>,
    /// Print at most so many, the oldest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Outbox {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let outboxes = outbox::unpublished(endpoints, self.since, self.limit).await?;
        print(endpoints, &outboxes, self.json)
    }
}

fn print(endpoints: &Endpoints, outboxes: &Outboxes, json: bool) -> anyhow::Result<()> {
    let Outboxes { events, left_out } = outboxes;
    let columns = Columns {
        names: &["SERVICE", "EVENT", "ROUTING KEY", "AGE", "UNROUTABLE"],
        none: "Everything that was committed is published.",
        cells: |UnpublishedEvent { service, event }| {
            let unroutable = event.unroutable_at.map(|at| format!("{} ago", ago(at)));
            vec![
                (*service).into(),
                event.event_id.to_string(),
                event.routing_key.clone(),
                ago(event.created_at),
                unroutable.unwrap_or_default(),
            ]
        },
    };
    columns.print(events, json)?;
    table::say_left_out(*left_out, json);
    if !events.is_empty() && !json {
        say!(
            "\nThey are published by themselves as soon as RabbitMQ takes them.\n    {}",
            endpoints.advice("doctor")
        );
    }
    Ok(())
}
