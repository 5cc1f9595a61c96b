//! `medtrack outbox`.

use super::table::Columns;
use crate::{
    endpoints::Endpoints,
    outbox::{self, UnpublishedEvent},
    words::ago,
};

pub(super) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<()> {
    let events = outbox::unpublished(endpoints).await?;
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
    columns.print(&events, json)?;
    if !events.is_empty() && !json {
        say!(
            "\nThey are published by themselves as soon as RabbitMQ takes them.\n    {}",
            endpoints.advice("doctor")
        );
    }
    Ok(())
}
