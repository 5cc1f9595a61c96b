//! PostgreSQL: it answers, the events of each service are published and handled, no session blocks a table.

use super::{
    finding::{Finding, Id, seconds_since},
    locks, mails, parked,
};
use crate::{
    endpoints::{Endpoints, PATIENCE},
    words::{count, seconds},
};
use events::topology::{AUTH, SERVICES, Service};
use futures_util::future::join_all;
use messaging::admin;
use sqlx::PgConnection;
use std::io;

/// After so many seconds an event that is not published has a reason.
const OUTBOX_SECONDS: u64 = 10;

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    let checks = join_all(SERVICES.map(|service| check_service(endpoints, service))).await;
    let unanswered: Vec<&Finding> = checks
        .iter()
        .filter_map(|check| check.as_ref().err())
        .collect();
    // One server holds all databases.
    if let [first, ..] = unanswered[..]
        && unanswered.len() == SERVICES.len()
        && unanswered.iter().all(|one| one.id == first.id)
        && first.id != Id::DatabaseRefused
    {
        let mut server = first.clone();
        server.what = server
            .what
            .replace(&database_of(server.service), "PostgreSQL");
        server.service = None;
        return vec![server.unit("postgres")];
    }
    let findings = checks.into_iter();
    findings
        .flat_map(|check| check.unwrap_or_else(|unanswered| vec![unanswered]))
        .collect()
}

async fn check_service(
    endpoints: &Endpoints,
    service: &'static Service,
) -> Result<Vec<Finding>, Finding> {
    let mut connection = match endpoints.database(service).await {
        Ok(connection) => connection,
        Err(error) => return Err(no_connection(endpoints, service, &error)),
    };
    match tokio::time::timeout(PATIENCE, look(endpoints, service, &mut connection)).await {
        Ok(Ok(findings)) => Ok(findings),
        Ok(Err(error)) => Err(Finding::broken(
            Id::DatabaseRefused,
            format!(
                "{} refuses a query: {error}",
                database_of(Some(service.short))
            ),
        )
        .of(service)
        .unit(service.database)
        .try_(endpoints.command_line.restart("postgres"))),
        Err(_) => Err(unresponsive(endpoints, service)),
    }
}

async fn look(
    endpoints: &Endpoints,
    service: &'static Service,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Finding>> {
    let version = admin::server_version(connection).await?;
    let answers = format!("{} answers (PostgreSQL {version})", service.database);
    let mut findings = vec![
        Finding::good(Id::Database, answers)
            .of(service)
            .unit(service.database),
    ];
    findings.extend(outbox(endpoints, service, connection).await?);
    findings.extend(parked::check(endpoints, service, connection).await?);
    if service.short == AUTH.short {
        findings.extend(mails::check(endpoints, connection).await?);
    }
    findings.extend(locks::check(endpoints, service, connection).await?);
    Ok(findings)
}

fn database_of(short: Option<&str>) -> String {
    format!("the database of {}-service", short.unwrap_or_default())
}

/// Why there is no connection: no server, no answer, or a refusal.
fn no_connection(
    endpoints: &Endpoints,
    service: &'static Service,
    error: &anyhow::Error,
) -> Finding {
    let database = database_of(Some(service.short));
    let restart = endpoints.command_line.restart("postgres");
    let finding = match error.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Io(error)) if error.kind() != io::ErrorKind::TimedOut => {
            let how = endpoints.how_it_ended("postgres");
            Finding::broken(Id::DatabaseUnreachable, format!("{database} {how}")).try_(restart)
        }
        Some(sqlx::Error::Database(refusal)) => match refusal.code().as_deref() {
            // It starts, it stops, or it has no connection left.
            Some("57P03" | "53300") => Finding::broken(
                Id::DatabaseUnresponsive,
                format!("{database} takes no connection: {}", refusal.message()),
            )
            .hint("wait some seconds and ask again; where it stays so, restart it")
            .try_(restart),
            _ => Finding::broken(
                Id::DatabaseRefused,
                format!("{database} refuses the login: {}", refusal.message()),
            )
            .hint("the address or its password is not that of the database; it stands in .medtrack/env or in a secret"),
        },
        Some(other) => Finding::broken(
            Id::DatabaseRefused,
            format!("{database} cannot be asked: {other}"),
        )
        .try_(restart),
        None if error.to_string().contains("is not set") => Finding::broken(
            Id::AddressMissing,
            format!("the address of {database} is not known"),
        )
        .hint(format!("set {}_DATABASE_URL", service.short.to_uppercase())),
        None => unresponsive(endpoints, service),
    };
    finding.of(service).unit(service.database)
}

fn unresponsive(endpoints: &Endpoints, service: &'static Service) -> Finding {
    let how = endpoints.how_it_hangs("postgres");
    let what = format!("{} {how}", database_of(Some(service.short)));
    Finding::broken(Id::DatabaseUnresponsive, what)
        .of(service)
        .unit(service.database)
        .try_(endpoints.command_line.restart("postgres"))
}

async fn outbox(
    endpoints: &Endpoints,
    service: &'static Service,
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<Finding>> {
    let name = service.name;
    let line = &endpoints.command_line;
    let backlog = admin::backlog(connection).await?;
    let [all, unroutable, refused] = [backlog.events, backlog.unroutable, backlog.refused]
        .map(|events| u64::try_from(events).unwrap_or_default());
    let events = all - unroutable - refused;
    let mut findings = Vec::new();
    if refused > 0 {
        let what = format!("RabbitMQ refuses {} of {name}", count(refused, "event"));
        findings.push(
            Finding::broken(Id::EventsRefused, what)
                .figure("events", refused)
                .hint(
                    "kept and tried each minute; the log of the service says what RabbitMQ refuses",
                )
                .try_(line.logs(name)),
        );
    }
    if unroutable > 0 {
        let what = format!(
            "no queue receives {} of {name}; {} kept",
            count(unroutable, "event"),
            if unroutable == 1 { "it is" } else { "they are" }
        );
        findings.push(
            Finding::broken(Id::EventsUnroutable, what)
                .figure("events", unroutable)
                .try_(line.operator("topology apply")),
        );
    }
    let oldest = backlog.oldest.map(seconds_since);
    match oldest {
        Some(oldest) => {
            let (wait, since) = match events {
                1 => ("waits", "for"),
                _ => ("wait", "the oldest for"),
            };
            let what = format!(
                "{} of {name} {wait} to be published, {since} {}",
                count(events, "event"),
                seconds(oldest)
            );
            let finding = match oldest < OUTBOX_SECONDS {
                true => Finding::good(Id::Outbox, what),
                false => Finding::broken(Id::EventsUnpublished, what)
                    .hint("none is lost")
                    .try_(line.restart(name)),
            };
            findings.push(
                finding
                    .figure("events", events)
                    .figure("oldest_seconds", oldest),
            );
        }
        None if all == 0 => {
            let what = format!("{name} has published all its events");
            findings.push(Finding::good(Id::Outbox, what).figure("events", 0));
        }
        None => {}
    }
    let of_service = |finding: Finding| finding.of(service).unit(name);
    Ok(findings.into_iter().map(of_service).collect())
}
