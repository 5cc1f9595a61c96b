//! A service's database: it answers, its events are published and handled, no session blocks it.

use super::{Finding, without_advice};
use crate::{
    age::ago,
    endpoints::{Endpoints, PATIENCE},
};
use chrono::Utc;
use events::topology::Service;
use messaging::admin::{self, ParkedFilter};
use sqlx::PgConnection;
use std::time::Duration;

/// The most events that are counted.
const LIMIT: i64 = 10_000;
/// After so many seconds an event that is not published has a reason.
const OUTBOX_SECONDS: i64 = 10;
/// After so many minutes a person should look at a waiting event.
const WAITING_MINUTES: i64 = 10;
/// A lock that a session holds at both ends of this pause is held too long.
const LOCK_PAUSE: Duration = Duration::from_millis(1_200);

pub(super) async fn check(endpoints: &Endpoints, service: &'static Service) -> Vec<Finding> {
    let no_answer = |what: String| {
        vec![Finding::broken(
            format!("{}'s database{what}", service.name),
            endpoints.command_line.restart("postgres"),
        )]
    };
    let check = Check { endpoints, service };
    match tokio::time::timeout(PATIENCE, check.run()).await {
        Ok(Ok(findings)) => findings,
        Ok(Err(error)) => no_answer(format!(": {}", without_advice(&error))),
        Err(_) => no_answer(format!(" does not answer within {} s", PATIENCE.as_secs())),
    }
}

struct Check<'a> {
    endpoints: &'a Endpoints,
    service: &'static Service,
}

impl Check<'_> {
    async fn run(&self) -> anyhow::Result<Vec<Finding>> {
        let mut connection = self.endpoints.database(self.service).await?;
        let version = admin::server_version(&mut connection).await?;
        let mut findings = vec![Finding::good(format!(
            "{}'s database answers (PostgreSQL {version})",
            self.service.name
        ))];
        findings.push(self.outbox(&mut connection).await?);
        findings.extend(self.parked(&mut connection).await?);
        findings.extend(self.locks(&mut connection).await?);
        Ok(findings)
    }

    async fn outbox(&self, connection: &mut PgConnection) -> anyhow::Result<Finding> {
        let name = self.service.name;
        let line = &self.endpoints.command_line;
        let unpublished = admin::unpublished(connection, LIMIT).await?;
        let unroutable = unpublished
            .iter()
            .filter(|event| event.unroutable_at.is_some())
            .count();
        let late: Vec<_> = unpublished
            .iter()
            .filter(|event| (Utc::now() - event.created_at).num_seconds() >= OUTBOX_SECONDS)
            .collect();
        Ok(if unroutable > 0 {
            Finding::broken(
                format!("no queue receives {unroutable} events of {name}; they are kept"),
                line.operator("topology apply"),
            )
        } else if let Some(oldest) = late.first() {
            Finding::broken(
                format!(
                    "{} events of {name} wait to be published, the oldest for {}; nothing is lost",
                    late.len(),
                    ago(oldest.created_at)
                ),
                format!(
                    "{}; if RabbitMQ answers: {}",
                    line.restart("rabbitmq"),
                    line.restart(name)
                ),
            )
        } else {
            Finding::good(format!("{name}'s events are published"))
        })
    }

    async fn parked(&self, connection: &mut PgConnection) -> anyhow::Result<Vec<Finding>> {
        let Service { name, short, .. } = self.service;
        let line = &self.endpoints.command_line;
        let parked = admin::parked(connection, &ParkedFilter::default(), LIMIT).await?;
        let dead = parked.iter().filter(|event| event.state == "dead").count();
        let waiting: Vec<_> = parked
            .iter()
            .filter(|event| event.state == "waiting")
            .collect();
        let long = waiting
            .iter()
            .find(|event| (Utc::now() - event.first_at).num_minutes() >= WAITING_MINUTES);
        let mut findings = Vec::new();
        if dead > 0 {
            findings.push(Finding::broken(
                format!("{dead} events cannot be handled by {name}; the others go on"),
                line.operator(&format!("dead list --service {short}")),
            ));
        }
        if let Some(event) = long {
            findings.push(Finding::warning(
                format!("an event of {name} waits for {}", ago(event.first_at)),
                line.operator(&format!("dead show {}", event.event_id)),
            ));
        } else if !waiting.is_empty() {
            findings.push(Finding::warning(
                format!(
                    "{} events of {name} are tried again by themselves",
                    waiting.len()
                ),
                format!(
                    "wait a moment, or look: {}",
                    line.operator(&format!("dead list --waiting --service {short}"))
                ),
            ));
        }
        if findings.is_empty() {
            findings.push(Finding::good(format!(
                "{name} has handled all that it took"
            )));
        }
        Ok(findings)
    }

    /// Looks twice, because a lock that is held for a moment is normal.
    async fn locks(&self, connection: &mut PgConnection) -> anyhow::Result<Vec<Finding>> {
        let first = admin::held_locks(connection).await?;
        if first.is_empty() {
            return Ok(Vec::new());
        }
        tokio::time::sleep(LOCK_PAUSE).await;
        let second = admin::held_locks(connection).await?;
        let held = second.into_iter().filter(|lock| first.contains(lock));
        Ok(held
            .map(|lock| {
                Finding::broken(
                    format!(
                        "session {} holds {} of {} locked; what needs it waits",
                        lock.pid, lock.table, self.service.name
                    ),
                    self.endpoints
                        .command_line
                        .end_session(self.service.short, lock.pid),
                )
            })
            .collect())
    }
}
