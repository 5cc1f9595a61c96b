//! Events that are committed and not published yet, of all services.

use crate::endpoints::Endpoints;
use messaging::admin::{self, Unpublished};
use serde::Serialize;

/// The most events of one service that are read.
const LIMIT: i64 = 1_000;

/// An unpublished event and the short name of its service.
#[derive(Serialize)]
pub(crate) struct UnpublishedEvent {
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) event: Unpublished,
}

/// Returns the events that are not published yet, for each service the oldest first.
pub(crate) async fn unpublished(endpoints: &Endpoints) -> anyhow::Result<Vec<UnpublishedEvent>> {
    let mut events = Vec::new();
    for (service, mut connection) in endpoints.databases().await? {
        let service = service.short;
        let unpublished = admin::unpublished(&mut connection, LIMIT).await?;
        events.extend(
            unpublished
                .into_iter()
                .map(|event| UnpublishedEvent { service, event }),
        );
    }
    Ok(events)
}
