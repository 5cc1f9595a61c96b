//! The stack as a whole: where nothing of it runs, one line says so instead of one for each part.

use super::finding::{Finding, Id};
use crate::endpoints::{Endpoints, Supervision, is_alive};
use events::topology::UnitState;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a part may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(1);

/// Returns the one finding that replaces all others: nothing runs.
pub(super) async fn down(endpoints: &Endpoints) -> Option<Finding> {
    let what = match endpoints.supervision() {
        Some(Supervision::Running) => return None,
        Some(Supervision::Ended) => {
            if endpoints.units().iter().any(is_alive) {
                return None;
            }
            let stopped = |unit: &events::topology::Unit| unit.state == UnitState::Stopped;
            match endpoints.units().iter().all(stopped) {
                true => "the system is stopped, nothing of it runs",
                false => "nothing of the system runs; it ended without being stopped",
            }
        }
        None if endpoints.all().next().is_none() => "no system was started here",
        None if any_listens(endpoints).await => return None,
        None => "nothing of the system runs",
    };
    Some(
        Finding::broken(Id::StackDown, what)
            .hint("all data and all events are kept")
            .try_(endpoints.command_line.start()),
    )
}

/// Says that nothing starts the processes again that end.
pub(super) fn unsupervised(endpoints: &Endpoints) -> Option<Finding> {
    (endpoints.supervision() == Some(Supervision::Ended)).then(|| {
        Finding::warning(
            Id::LauncherGone,
            "medtrack up has ended, and some processes still run: none is started again when it ends",
        )
        .try_(endpoints.command_line.start())
    })
}

async fn any_listens(endpoints: &Endpoints) -> bool {
    let connections = endpoints.all().filter_map(|address| {
        let url: reqwest::Url = address.parse().ok()?;
        let port = url.port_or_known_default().or(match url.scheme() {
            "amqp" => Some(5672),
            "postgres" | "postgresql" => Some(5432),
            _ => None,
        })?;
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(async move {
            let connection = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port)));
            matches!(connection.await, Ok(Ok(_)))
        })
    });
    join_all(connections)
        .await
        .into_iter()
        .any(|listens| listens)
}
