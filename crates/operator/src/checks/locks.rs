//! Sessions that keep a table locked, and what waits for them.

use super::finding::{Finding, Id, seconds_since};
use crate::{
    endpoints::Endpoints,
    words::{count, seconds},
};
use events::topology::Service;
use messaging::admin;
use sqlx::PgConnection;
use std::time::Duration;

/// A lock that a session holds at both ends of this pause is held too long.
const PAUSE: Duration = Duration::from_millis(1_200);

/// Looks twice, because a lock that is held for a moment is normal.
pub(super) async fn check(
    endpoints: &Endpoints,
    service: &'static Service,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Finding>> {
    let first = admin::held_locks(connection).await?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    tokio::time::sleep(PAUSE).await;
    let second = admin::held_locks(connection).await?;
    let held = second
        .into_iter()
        .filter(|lock| first.iter().any(|before| before.is(lock)));
    let finding = |lock: admin::HeldLock| {
        let waiting = u64::try_from(lock.waiting).unwrap_or_default();
        let since = lock.waiting_since.map(seconds_since).unwrap_or_default();
        let waits = match waiting {
            0 => String::new(),
            1 => format!("1 session waits for it, for {}; ", seconds(since)),
            _ => format!(
                "{} wait for it, the longest for {}; ",
                count(waiting, "session"),
                seconds(since)
            ),
        };
        let what = format!(
            "session {} holds {} of {} locked",
            lock.pid, lock.table, service.name
        );
        Finding::broken(Id::TableLocked, what)
            .unit(lock.table)
            .of(service)
            .figure("session", lock.pid.unsigned_abs().into())
            .figure("waiting", waiting)
            .figure("longest_seconds", since)
            .hint(format!(
                "{waits}requests that need it fail after 3 s; events that need it are tried again for a day and \
                 handled when it ends, after that they are dead. To end it now:"
            ))
            .try_(endpoints.command_line.end_session(service.short, lock.pid))
    };
    Ok(held.map(finding).collect())
}
