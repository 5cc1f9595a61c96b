//! Events that are committed and not published yet, of all services.

use crate::endpoints::Endpoints;
use chrono::{DateTime, Utc};
use messaging::admin::{self, Unpublished};
use serde::Serialize;

/// An unpublished event and the short name of its service.
#[derive(Serialize)]
pub(crate) struct UnpublishedEvent {
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) event: Unpublished,
}

/// Unpublished events, and how many the limit has left out.
pub(crate) struct Outboxes {
    pub(crate) events: Vec<UnpublishedEvent>,
    pub(crate) left_out: u64,
}

/// Returns the events that are not published yet, the oldest first, at most `limit` of all services together; with a time
/// only those that were committed since.
pub(crate) async fn unpublished(
    endpoints: &Endpoints,
    since: Option<DateTime<Utc>>,
    limit: usize,
) -> anyhow::Result<Outboxes> {
    let (mut events, mut count) = (Vec::new(), 0);
    for (service, mut connection) in endpoints.databases().await? {
        let service = service.short;
        let rows = admin::unpublished(&mut connection, since, limit.try_into()?).await?;
        count += admin::count_unpublished(&mut connection, since).await?;
        let rows = rows.into_iter();
        events.extend(rows.map(|event| UnpublishedEvent { service, event }));
    }
    events.sort_by_key(|one| one.event.created_at);
    events.truncate(limit);
    // The relays publish while the rows are counted.
    let left_out = u64::try_from(count).unwrap_or_default();
    Ok(Outboxes {
        left_out: left_out.saturating_sub(events.len() as u64),
        events,
    })
}
