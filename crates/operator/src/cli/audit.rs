//! `medtrack audit`.

use super::table::Columns;
use crate::{audit, endpoints::Endpoints, replay};
use chrono::{DateTime, Utc};
use clap::Args;
use messaging::admin::AuditFilter;
use uuid::Uuid;

#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Only what was done with this event.
    event_id: Option<Uuid>,
    /// Only what was done since: a time (RFC 3339; UTC without a zone), or how long ago (30m, 2h, 3d).
    #[arg(long, value_name = "TIME", value_parser = replay::read_since)]
    since: Option<DateTime<Utc>>,
    /// Print at most so many, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let filter = AuditFilter {
            event_id: self.event_id,
            since: self.since,
        };
        let entries = audit::entries(endpoints, &filter, self.limit).await?;
        let columns = Columns {
            names: &[
                "WHEN (UTC)",
                "WHO",
                "WHAT",
                "SERVICE",
                "BEFORE",
                "EVENT, WHAT, WHY",
            ],
            none: "No operator has changed anything.",
            cells: |entry: &audit::Entry| {
                let row = &entry.row;
                let event = row.event_id.map(|id| id.to_string());
                let parts = [&event, &row.detail, &row.why].into_iter().flatten();
                vec![
                    row.at.format("%m-%d %H:%M").to_string(),
                    row.person.clone(),
                    row.verb.clone(),
                    entry.service.into(),
                    row.state.clone(),
                    parts.cloned().collect::<Vec<_>>().join(", "),
                ]
            },
        };
        columns.print(&entries, self.json)
    }
}
