//! What operators did with events, of all services.

use crate::endpoints::Endpoints;
use messaging::admin::{self, AuditFilter, AuditRow};
use serde::Serialize;
use std::cmp::Reverse;

/// One thing that an operator did, and the short name of the service whose event it was.
#[derive(Serialize)]
pub(crate) struct Entry {
    pub(crate) service: &'static str,
    #[serde(flatten)]
    pub(crate) row: AuditRow,
}

/// Returns what operators did, the newest first, at most `limit`.
pub(crate) async fn entries(
    endpoints: &Endpoints,
    filter: &AuditFilter,
    limit: usize,
) -> anyhow::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (service, mut connection) in endpoints.databases().await? {
        let rows = admin::audit(&mut connection, filter, limit.try_into()?).await?;
        let service = service.short;
        entries.extend(rows.into_iter().map(|row| Entry { service, row }));
    }
    entries.sort_by_key(|entry| Reverse(entry.row.at));
    entries.truncate(limit);
    Ok(entries)
}
