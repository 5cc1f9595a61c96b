//! The processes of the services: each runs, answers and is ready. Those whose internal address is unknown are left out.

use super::{
    finding::{Finding, Id},
    probe::{self, Answer},
    restarts,
};
use crate::endpoints::{Endpoints, is_alive};
use events::topology::{SERVICES, Service, Unit, UnitState};
use futures_util::future::join_all;
use serde_json::Value;

/// A process of a service.
pub(super) struct Process<'a> {
    /// The name that a person types: `comm-consumer`.
    pub(super) name: String,
    pub(super) service: &'static Service,
    /// What the launcher knows of it.
    unit: Option<&'a Unit>,
    /// The address of its health and its figures.
    pub(super) url: String,
}

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    let processes = list(endpoints);
    let checks = join_all(processes.iter().map(|process| process.check(endpoints)));
    let (findings, restarts) = tokio::join!(checks, restarts::check(endpoints, &processes));
    findings.into_iter().flatten().chain(restarts).collect()
}

/// The processes that the launcher runs; in containers one of each kind, at the addresses of the environment.
fn list(endpoints: &Endpoints) -> Vec<Process<'_>> {
    let of_launcher = endpoints.units().iter().filter_map(|unit| {
        let name = unit.unit.clone();
        let service = SERVICES.into_iter().find(|service| {
            name == service.name || name.starts_with(&format!("{}-consumer", service.short))
        })?;
        let address = unit.internal_address.as_ref()?;
        Some(Process {
            name,
            service,
            unit: Some(unit),
            url: format!("http://{address}"),
        })
    });
    let processes: Vec<_> = of_launcher.collect();
    if !processes.is_empty() {
        return processes;
    }
    let of_environment = SERVICES.into_iter().flat_map(|service| {
        let short = service.short.to_uppercase();
        [
            (service.name.to_owned(), format!("{short}_INTERNAL_URL")),
            (
                format!("{}-consumer", service.short),
                format!("{short}_CONSUMER_INTERNAL_URL"),
            ),
        ]
        .map(|(name, variable)| (service, name, variable))
    });
    let of_environment = of_environment.filter_map(|(service, name, variable)| {
        Some(Process {
            name,
            service,
            unit: None,
            url: endpoints.get(&variable).ok()?.to_owned(),
        })
    });
    of_environment.collect()
}

impl Process<'_> {
    async fn check(&self, endpoints: &Endpoints) -> Vec<Finding> {
        let findings = match self.state() {
            Some(UnitState::Stopped) => vec![self.stopped(endpoints)],
            Some(UnitState::Crashed) => vec![self.crashed(endpoints)],
            Some(UnitState::Running) | None => self.ask(endpoints).await,
        };
        let about = |finding: Finding| finding.of(self.service).unit(&self.name);
        findings.into_iter().map(about).collect()
    }

    fn state(&self) -> Option<UnitState> {
        self.unit.map(|unit| unit.state)
    }

    fn stopped(&self, endpoints: &Endpoints) -> Finding {
        let name = &self.name;
        let what = format!("{name} is stopped, because a person stopped it");
        let finding = match self.has_running_replica(endpoints) {
            true => Finding::warning(Id::ProcessStopped, what),
            false => Finding::broken(Id::ProcessStopped, what),
        };
        finding.try_(endpoints.command_line.restart(name))
    }

    /// Whether another process does the same work.
    fn has_running_replica(&self, endpoints: &Endpoints) -> bool {
        let kind = format!("{}-consumer", self.service.short);
        let replicas = endpoints.units().iter().filter(|unit| {
            let name = unit.unit.clone();
            name.starts_with(&kind) && name != self.name && unit.state == UnitState::Running
        });
        self.name.starts_with(&kind) && replicas.count() > 0
    }

    fn crashed(&self, endpoints: &Endpoints) -> Finding {
        let name = &self.name;
        let crashes = self.unit.map_or(&[][..], |unit| &unit.crashes);
        let how = crashes.last().map_or("", |crash| &crash.how);
        Finding::broken(
            Id::ProcessCrashing,
            format!("{name} has ended ({how}) and is started again by itself"),
        )
        .figure("crashes", crashes.len() as u64)
        .hint("its last lines say why:")
        .try_(endpoints.command_line.logs(name))
    }

    async fn ask(&self, endpoints: &Endpoints) -> Vec<Finding> {
        let name = &self.name;
        let restart = || endpoints.command_line.restart(name);
        match probe::get(&format!("{}/health/ready", self.url)).await {
            Answer::Response(response) => {
                let report: Value = serde_json::from_str(&response.body).unwrap_or_default();
                let mut findings = vec![match response.status {
                    200 => Finding::good(Id::Process, format!("{name} is ready")),
                    _ => self.not_ready(endpoints, &report),
                }];
                if let Some(reason) = failure(&report, "relay") {
                    let what = format!("{name} cannot publish events: {reason}");
                    findings.push(
                        Finding::broken(Id::RelayFailing, what)
                            .hint("they are kept; it tries again by itself; where it does not:")
                            .try_(restart()),
                    );
                }
                findings
            }
            Answer::Refused if self.unit.is_some_and(is_alive) => {
                let what = format!("{name} starts: its process runs and does not listen yet");
                let mut finding = Finding::broken(Id::ProcessNotReady, what)
                    .hint("where it stays so, its last lines say why:")
                    .try_(endpoints.command_line.logs(name));
                // It waits for its database before it listens.
                finding.failing = vec!["database".into()];
                vec![finding]
            }
            Answer::Refused => {
                vec![
                    Finding::broken(Id::ProcessDown, format!("{name} does not run"))
                        .try_(restart()),
                ]
            }
            Answer::Nothing => {
                let what = format!("{name} {}", endpoints.how_it_hangs(name));
                vec![Finding::broken(Id::ProcessUnresponsive, what).try_(restart())]
            }
        }
    }

    fn not_ready(&self, endpoints: &Endpoints, report: &Value) -> Finding {
        let name = &self.name;
        let failing: Vec<String> = checks(report)
            .filter(|(check, reason)| *check != "relay" && *reason != "ok")
            .map(|(check, _)| check.to_owned())
            .collect();
        let reasons: Vec<String> = failing
            .iter()
            .filter_map(|check| failure(report, check))
            .collect();
        let what = match reasons.is_empty() {
            true => format!("{name} is not ready"),
            false => format!("{name} is not ready: {}", reasons.join("; ")),
        };
        let mut finding = Finding::broken(Id::ProcessNotReady, what)
            .hint("it tries again by itself; where it stays so:")
            .try_(endpoints.command_line.restart(name));
        finding.failing = failing;
        finding
    }
}

/// The checks of a process with their results: `ok`, or the reason.
fn checks(report: &Value) -> impl Iterator<Item = (&str, &str)> {
    let checks = report["checks"].as_object().into_iter().flatten();
    checks.filter_map(|(check, reason)| Some((check.as_str(), reason.as_str()?)))
}

/// Why a check fails, in words.
fn failure(report: &Value, check: &str) -> Option<String> {
    let mut checks = checks(report);
    let (_, reason) = checks.find(|(name, reason)| *name == check && *reason != "ok")?;
    let without_number = reason.split(" (os error").next().unwrap_or(reason);
    Some(match check {
        "database" => format!("its database: {without_number}"),
        _ => without_number.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reasons_are_sentences_and_no_json() {
        let report = json!({"status": "not ready", "checks": {
            "consumer": "cannot reach RabbitMQ: Connection refused (os error 111)", "database": "ok",
            "relay": "starting"}});
        assert_eq!(
            failure(&report, "consumer").as_deref(),
            Some("cannot reach RabbitMQ: Connection refused")
        );
        assert_eq!(failure(&report, "database"), None);
        assert_eq!(failure(&report, "relay").as_deref(), Some("starting"));
        assert_eq!(failure(&Value::Null, "relay"), None);
    }
}
