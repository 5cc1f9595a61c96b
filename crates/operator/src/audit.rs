//! What operators did, of all services.

use crate::endpoints::Endpoints;
use events::topology::Service;
use messaging::admin::{self, Actor, AuditFilter, AuditRow, Deed};
use serde::Serialize;
use sqlx::Connection as _;
use std::cmp::Reverse;

/// One thing that an operator did, and the short name of the service that it concerns.
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

/// Runs `act`, which concerns these services, and records it in the database of each. When `act` fails, no row stays;
/// when a row cannot be written, `act` does not run.
pub(crate) async fn recorded<T>(
    endpoints: &Endpoints,
    services: &[&'static Service],
    actor: Actor<'_>,
    deed: &Deed<'_>,
    act: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mut connections = Vec::with_capacity(services.len());
    for service in services {
        connections.push(endpoints.database(service).await?);
    }
    let mut transactions = Vec::with_capacity(services.len());
    for connection in &mut connections {
        let mut transaction = connection.begin().await?;
        admin::record(&mut transaction, actor, deed).await?;
        transactions.push(transaction);
    }
    let result = act.await?;
    for transaction in transactions {
        transaction.commit().await?;
    }
    Ok(result)
}
