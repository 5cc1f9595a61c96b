//! What is wrong, and what to do about it: the troubleshooting of the original document, as code.

#![expect(
    clippy::disallowed_methods,
    reason = "tables of three services, that no one build knows"
)]

use super::{ago, queues};
use crate::endpoints::{Endpoints, PATIENCE, SERVICES};
use anyhow::Context as _;
use chrono::Utc;
use futures_util::future::join_all;
use messaging::admin::{self, ParkedFilter};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use std::{process::ExitCode, time::Duration};

/// An event that is not published after so many seconds has a reason.
const OUTBOX_SECONDS: i64 = 10;
/// Whoever holds a lock for so long that it is seen twice holds up others.
const LOCK_PAUSE: Duration = Duration::from_millis(1_200);

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Good,
    /// Worth a look; the system works.
    Warning,
    /// Something does not work.
    Broken,
}

/// What a check has found.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    what: String,
    /// A command, or a disposition.
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

fn good(what: impl Into<String>) -> Finding {
    Finding {
        level: Level::Good,
        what: what.into(),
        advice: None,
    }
}

fn warning(what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        level: Level::Warning,
        what: what.into(),
        advice: Some(advice.into()),
    }
}

fn broken(what: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        level: Level::Broken,
        what: what.into(),
        advice: Some(advice.into()),
    }
}

/// Looks at everything at once; exit code 1 when something does not work.
pub(crate) async fn run(endpoints: &Endpoints, json: bool) -> anyhow::Result<ExitCode> {
    let doctor = Doctor {
        endpoints: endpoints.clone(),
        native: endpoints.is_native(),
    };
    let (databases, broker, processes, gateway) = tokio::join!(
        join_all(SERVICES.map(|service| doctor.database(service))),
        doctor.broker(),
        doctor.processes(),
        doctor.gateway(),
    );
    let findings: Vec<Finding> = databases
        .into_iter()
        .flatten()
        .chain(broker)
        .chain(processes)
        .chain(gateway)
        .collect();
    let count = |level| {
        findings
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    if json {
        say!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for Finding {
            level,
            what,
            advice,
        } in &findings
        {
            let mark = match level {
                Level::Good => "✓",
                Level::Warning => "!",
                Level::Broken => "✗",
            };
            say!("{mark} {what}");
            if let Some(advice) = advice {
                say!("    try: {advice}");
            }
        }
        say!(
            "\n{} checks, {} broken, {} to look at",
            findings.len(),
            count(Level::Broken),
            count(Level::Warning)
        );
    }
    Ok(if count(Level::Broken) == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Doctor {
    endpoints: Endpoints,
    /// Started by `medtrack up`, not in containers.
    native: bool,
}

impl Doctor {
    /// The command that starts something again.
    fn restart(&self, unit: &str) -> String {
        if self.native {
            return format!("./medtrack restart {unit}");
        }
        let container = match unit.strip_suffix("-consumer") {
            Some(service) => format!("{service}-service-consumer"),
            None => unit.to_owned(),
        };
        format!("docker-compose restart {container}")
    }

    async fn database(&self, service: &str) -> Vec<Finding> {
        let checks = async {
            let mut connection = self.endpoints.database(service).await?;
            let version: String = sqlx::query_scalar("show server_version")
                .fetch_one(&mut connection)
                .await?;
            let mut findings = vec![good(format!(
                "{service}-service's database answers (PostgreSQL {version})"
            ))];
            findings.extend(self.outbox(service, &mut connection).await?);
            findings.extend(self.parked(service, &mut connection).await?);
            findings.extend(self.locks(service, &mut connection).await?);
            anyhow::Ok(findings)
        };
        match tokio::time::timeout(PATIENCE, checks).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => {
                vec![broken(
                    format!("{service}-service's database: {}", without_advice(&error)),
                    self.restart("postgres"),
                )]
            }
            Err(_) => vec![broken(
                format!(
                    "{service}-service's database does not answer within {} s",
                    PATIENCE.as_secs()
                ),
                self.restart("postgres"),
            )],
        }
    }

    async fn outbox(
        &self,
        service: &str,
        connection: &mut PgConnection,
    ) -> anyhow::Result<Vec<Finding>> {
        let unpublished = admin::unpublished(connection, 10_000).await?;
        let unroutable = unpublished
            .iter()
            .filter(|event| event.unroutable_at.is_some())
            .count();
        let late: Vec<_> = unpublished
            .iter()
            .filter(|event| (Utc::now() - event.created_at).num_seconds() >= OUTBOX_SECONDS)
            .collect();
        let mut findings = Vec::new();
        if unroutable > 0 {
            findings.push(broken(
                format!(
                    "{unroutable} events of {service}-service have no queue that wants them; they are kept"
                ),
                "./medtrack topology apply",
            ));
        } else if let Some(oldest) = late.first() {
            findings.push(broken(
                format!(
                    "{} events of {service}-service wait to be published, the oldest for {}; nothing is lost",
                    late.len(),
                    ago(oldest.created_at)
                ),
                format!(
                    "{}; if RabbitMQ answers: {}",
                    self.restart("rabbitmq"),
                    self.restart(&format!("{service}-service"))
                ),
            ));
        } else {
            findings.push(good(format!("{service}-service's events are published")));
        }
        Ok(findings)
    }

    async fn parked(
        &self,
        service: &str,
        connection: &mut PgConnection,
    ) -> anyhow::Result<Vec<Finding>> {
        let parked = admin::parked(connection, &ParkedFilter::default(), 10_000).await?;
        let dead = parked.iter().filter(|event| event.state == "dead").count();
        let waiting: Vec<_> = parked
            .iter()
            .filter(|event| event.state == "waiting")
            .collect();
        let long = waiting
            .iter()
            .find(|event| (Utc::now() - event.first_at).num_minutes() >= 10);
        let mut findings = Vec::new();
        if dead > 0 {
            findings.push(broken(
                format!("{dead} events cannot be handled by {service}-service; the others go on"),
                format!("./medtrack dead list --service {service}"),
            ));
        }
        if let Some(event) = long {
            findings.push(warning(
                format!(
                    "an event of {service}-service waits for {}",
                    ago(event.first_at)
                ),
                format!("./medtrack dead show {}", event.event_id),
            ));
        } else if !waiting.is_empty() {
            findings.push(warning(
                format!(
                    "{} events of {service}-service are tried again by themselves",
                    waiting.len()
                ),
                format!(
                    "wait a moment, or look: ./medtrack dead list --waiting --service {service}"
                ),
            ));
        }
        if findings.is_empty() {
            findings.push(good(format!(
                "{service}-service has handled all that it took"
            )));
        }
        Ok(findings)
    }

    /// Looks twice: what is locked both times by the same session is held.
    async fn locks(
        &self,
        service: &str,
        connection: &mut PgConnection,
    ) -> anyhow::Result<Vec<Finding>> {
        let first = held_locks(connection).await?;
        if first.is_empty() {
            return Ok(Vec::new());
        }
        tokio::time::sleep(LOCK_PAUSE).await;
        let held = held_locks(connection)
            .await?
            .into_iter()
            .filter(|lock| first.contains(lock));
        let advice = |pid: i32| {
            let end = format!("select pg_terminate_backend({pid})");
            match self.native {
                true => {
                    format!(
                        ". .medtrack/env; psql \"${}_DATABASE_URL\" -c '{end}'",
                        service.to_uppercase()
                    )
                }
                false => format!("docker exec postgres psql -U postgres -c '{end}'"),
            }
        };
        let finding = |(pid, table): (i32, String)| {
            broken(
                format!(
                    "session {pid} holds {table} of {service}-service locked; what needs it waits"
                ),
                advice(pid),
            )
        };
        Ok(held.map(finding).collect())
    }

    async fn broker(&self) -> Vec<Finding> {
        let checks = async {
            let overview = queues::manage(&self.endpoints, "overview").await?;
            let version = overview["rabbitmq_version"]
                .as_str()
                .unwrap_or("of unknown version");
            let mut findings = vec![good(format!("RabbitMQ answers ({version})"))];
            let nodes = queues::manage(&self.endpoints, "nodes").await?;
            for node in nodes.as_array().into_iter().flatten() {
                findings.extend(alarms(node));
            }
            findings.extend(self.queues().await?);
            anyhow::Ok(findings)
        };
        match tokio::time::timeout(PATIENCE, checks).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => vec![broken(
                format!(
                    "RabbitMQ: {}; registration goes on, events wait in the outbox",
                    without_advice(&error)
                ),
                self.restart("rabbitmq"),
            )],
            Err(_) => vec![broken(
                "RabbitMQ does not answer in time",
                self.restart("rabbitmq"),
            )],
        }
    }

    async fn queues(&self) -> anyhow::Result<Vec<Finding>> {
        let found = queues::ask(&self.endpoints).await?;
        let mut findings = Vec::new();
        for wanted in events::topology::queues() {
            let Some(queue) = found.iter().find(|queue| queue.name == wanted.name) else {
                findings.push(broken(
                    format!("the queue {} is missing", wanted.name),
                    "./medtrack topology apply",
                ));
                continue;
            };
            let service = wanted.name.trim_end_matches(".events");
            let missing: Vec<_> = wanted
                .patterns
                .iter()
                .filter(|pattern| !queue.bindings.iter().any(|bound| bound == *pattern))
                .collect();
            if !missing.is_empty() {
                findings.push(broken(
                    format!("{} is not bound to {missing:?}", wanted.name),
                    "./medtrack topology apply",
                ));
            }
            if queue.consumers == 0 {
                findings.push(broken(
                    format!(
                        "nobody handles {}: {} events wait there",
                        wanted.name, queue.ready
                    ),
                    self.restart(&format!("{service}-consumer")),
                ));
            } else if queue.ready > 1_000 {
                findings.push(warning(
                    format!(
                        "{} events are queued in {} for {} consumers",
                        queue.ready, wanted.name, queue.consumers
                    ),
                    if self.native {
                        format!("./medtrack up --scale {service}-consumer=3")
                    } else {
                        format!(
                            "docker-compose --profile scale up -d --scale {service}-extra=2 {service}-extra"
                        )
                    },
                ));
            } else {
                findings.push(good(format!(
                    "{} has {} consumers, {} events ready",
                    wanted.name, queue.consumers, queue.ready
                )));
            }
            if queue.crashed > 0 {
                findings.push(warning(
                    format!(
                        "{} messages ended the consumer of {} again and again; it parks them as dead",
                        queue.crashed, wanted.name
                    ),
                    self.restart(&format!("{service}-consumer")),
                ));
            }
        }
        Ok(findings)
    }

    /// Whether the processes are ready; only where their internal addresses are known.
    async fn processes(&self) -> Vec<Finding> {
        let units = SERVICES.into_iter().flat_map(|service| {
            let word = service.to_uppercase();
            [
                (format!("{service}-service"), format!("{word}_INTERNAL_URL")),
                (
                    format!("{service}-consumer"),
                    format!("{word}_CONSUMER_INTERNAL_URL"),
                ),
            ]
        });
        let checks = units.filter_map(|(unit, variable)| {
            let url = format!("{}/health/ready", self.endpoints.get(&variable).ok()?);
            Some(async move {
                match ask(&url).await {
                    Ok((200, _)) => good(format!("{unit} is ready")),
                    Ok((_, body)) => {
                        broken(format!("{unit} is not ready: {body}"), self.restart(&unit))
                    }
                    Err(_) => broken(format!("{unit} does not run"), self.restart(&unit)),
                }
            })
        });
        join_all(checks).await
    }

    async fn gateway(&self) -> Vec<Finding> {
        let Ok(url) = self.endpoints.get("GATEWAY_URL") else {
            return Vec::new();
        };
        vec![
            match ask(&format!("{url}/auth/.well-known/jwks.json")).await {
                Ok((200, _)) => good(format!("the gateway answers at {url}")),
                Ok((status, _)) => broken(
                    format!("the gateway answers {status}"),
                    self.restart("auth-service"),
                ),
                Err(_) => broken(
                    format!("the gateway does not answer at {url}"),
                    self.restart("gateway"),
                ),
            },
        ]
    }
}

fn alarms(node: &Value) -> Vec<Finding> {
    let name = node["name"].as_str().unwrap_or_default();
    let mut findings = Vec::new();
    if node["mem_alarm"] == true {
        findings.push(broken(
            format!("{name} has no memory left and takes no events"),
            "give RabbitMQ more memory, or let the consumers catch up: ./medtrack queues",
        ));
    }
    if node["disk_free_alarm"] == true {
        findings.push(broken(
            format!("{name} has no disk left and takes no events"),
            "make room on the disk of RabbitMQ; it goes on by itself",
        ));
    }
    if findings.is_empty() {
        findings.push(good("RabbitMQ has memory and disk"));
    }
    findings
}

/// Tables of the service that a session holds against others: its pid and the table.
async fn held_locks(connection: &mut PgConnection) -> sqlx::Result<Vec<(i32, String)>> {
    sqlx::query_as(
        "select distinct pid, relation::regclass::text from pg_locks
         join pg_class on pg_class.oid = relation and relkind = 'r'
         join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'public'
         where granted and pid <> pg_backend_pid() and database = (select oid from pg_database where datname = current_database())
           and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
         order by 1, 2",
    )
    .fetch_all(connection)
    .await
}

async fn ask(url: &str) -> anyhow::Result<(u16, String)> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .build()?;
    let response = client.get(url).send().await.context("no answer")?;
    Ok((response.status().as_u16(), response.text().await?))
}

/// The first word of an error's chain, without its own advice.
fn without_advice(error: &anyhow::Error) -> String {
    let text = format!("{error}");
    text.split("; try:").next().unwrap_or_default().to_owned()
}
