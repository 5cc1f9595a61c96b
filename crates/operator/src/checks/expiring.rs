//! Dead events that no person has closed: their bodies are deleted soon.

use super::finding::{Finding, Id};
use crate::{endpoints::Endpoints, words::count};
use events::topology::Service;
use messaging::admin;
use sqlx::PgConnection;

/// Warns, from the sixtieth day on, of dead events whose bodies are deleted on the ninetieth.
pub(super) async fn check(
    endpoints: &Endpoints,
    service: &Service,
    connection: &mut PgConnection,
) -> sqlx::Result<Option<Finding>> {
    let expiring = admin::expiring(connection).await?;
    let Some(first_at) = expiring.first_at else {
        return Ok(None);
    };
    let events: u64 = expiring.events.try_into().unwrap_or_default();
    let (name, day) = (service.name, first_at.format("%Y-%m-%d"));
    let what = match events {
        1 => format!("1 dead event of {name} is older than 60 days; its body is deleted on {day}"),
        _ => format!(
            "{} of {name} are older than 60 days; the first body is deleted on {day}",
            count(events, "dead event")
        ),
    };
    let list = format!("dead list --service {}", service.short);
    Ok(Some(
        Finding::warning(Id::BodiesExpiring, what)
            .figure("events", events)
            .try_(endpoints.command_line.operator(&list)),
    ))
}
