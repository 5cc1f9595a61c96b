//! Events that are committed and not published yet.

use super::{ago, list};
use crate::endpoints::{Endpoints, SERVICES};
use messaging::admin::{self, Unpublished};
use serde::Serialize;

/// More are not shown.
const LIMIT: i64 = 1_000;

#[derive(Serialize)]
struct Row {
    service: &'static str,
    #[serde(flatten)]
    event: Unpublished,
}

pub(crate) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for service in SERVICES {
        let mut connection = endpoints.database(service).await?;
        let unpublished = admin::unpublished(&mut connection, LIMIT).await?;
        rows.extend(unpublished.into_iter().map(|event| Row { service, event }));
    }
    list::say(
        &rows,
        json,
        "Everything that was committed is published.",
        &["SERVICE", "EVENT", "ROUTING KEY", "AGE", "UNROUTABLE"],
        |Row { service, event }| {
            vec![
                (*service).into(),
                event.event_id.to_string(),
                event.routing_key.clone(),
                ago(event.created_at),
                event
                    .unroutable_at
                    .map(|at| format!("{} ago", ago(at)))
                    .unwrap_or_default(),
            ]
        },
    )?;
    if !rows.is_empty() && !json {
        say!(
            "\nThey are published by themselves as soon as RabbitMQ takes them; try: ./medtrack doctor"
        );
    }
    Ok(())
}
