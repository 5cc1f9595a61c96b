//! Where a running stack listens: `.medtrack/env` for shells, and a box for people.

use crate::{
    ports::Ports,
    postgres,
    rabbitmq::LOGIN,
    units::{self, System},
    workspace::replace_private,
};
use events::topology::SERVICES;
use std::time::Duration;

/// Writes `.medtrack/env`.
pub(super) fn write(system: &System) -> anyhow::Result<()> {
    let path = system.workspace.path("env");
    replace_private(&path, &environment(system)?)
}

/// `.medtrack/env`: addresses as shell assignments.
fn environment(system: &System) -> anyhow::Result<String> {
    let System {
        workspace,
        ports,
        amqp_url,
        ..
    } = system;
    let http = |port: &str| format!("http://127.0.0.1:{}", ports[port]);
    let (user, password) = LOGIN;
    let mut lines = vec![
        ("GATEWAY_URL".to_owned(), http("gateway")),
        ("AMQP_URL".to_owned(), amqp_url.clone()),
        (
            "RABBITMQ_MANAGEMENT_URL".to_owned(),
            format!("http://{user}:{password}@127.0.0.1:{}", ports["management"]),
        ),
    ];
    for service in SERVICES {
        let prefix = service.short.to_uppercase();
        let url = postgres::url(
            service.role,
            &workspace.secret(service.role)?,
            ports["postgres"],
            service.database,
        );
        lines.push((format!("{prefix}_URL"), http(service.name)));
        lines.push((format!("{prefix}_DATABASE_URL"), url));
        let operator = postgres::url(
            postgres::OPERATOR,
            &workspace.secret(postgres::OPERATOR)?,
            ports["postgres"],
            service.database,
        );
        lines.push((format!("{prefix}_OPERATOR_DATABASE_URL"), operator));
        lines.push((
            format!("{prefix}_INTERNAL_URL"),
            http(&units::internal(service.name)),
        ));
        for unit in units::consumers(service, &system.scale) {
            // COMM_CONSUMER_INTERNAL_URL, COMM_CONSUMER_2_INTERNAL_URL.
            let name = unit.to_uppercase().replace('-', "_");
            lines.push((
                format!("{name}_INTERNAL_URL"),
                http(&units::internal(&unit)),
            ));
        }
    }
    lines.sort();
    Ok(lines
        .into_iter()
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect())
}

/// The box that `up` prints when everything is ready.
pub(super) fn summary(ports: &Ports, took: Duration) -> String {
    let (user, password) = LOGIN;
    let paths: Vec<String> = SERVICES
        .iter()
        .map(|service| format!("/{}", service.short))
        .collect();
    let databases: Vec<&str> = SERVICES.iter().map(|service| service.database).collect();
    let lines = [
        format!("MedTrack is ready ({:.1} s)", took.as_secs_f64()),
        String::new(),
        format!("Page       http://localhost:{}/", ports["gateway"]),
        format!(
            "API        http://localhost:{}{}",
            ports["gateway"],
            paths.join(" ")
        ),
        format!(
            "RabbitMQ   http://localhost:{}  ({user} / {password})",
            ports["management"]
        ),
        format!(
            "PostgreSQL 127.0.0.1:{}  {}",
            ports["postgres"],
            databases.join(" ")
        ),
        "Addresses  .medtrack/env".to_owned(),
        String::new(),
        "next: ./medtrack demo, ./medtrack doctor".to_owned(),
        "./medtrack ps | logs -f [unit] | restart <unit> | stop".to_owned(),
    ];
    let width = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default();
    let rule = "─".repeat(width + 2);
    let body: String = lines
        .iter()
        .map(|line| format!("│ {line:<width$} │\n"))
        .collect();
    format!("╭{rule}╮\n{body}╰{rule}╯")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn a_shell_reads_the_addresses() {
        let dir = std::env::temp_dir().join(format!("medtrack-env-{}", uuid::Uuid::new_v4()));
        let workspace = Workspace {
            repository: dir.clone(),
            state_dir: dir,
        };
        workspace.create().expect("a new dir can be made");
        let scale = units::Scale::from([("comm-consumer".to_owned(), 2)]);
        let wanted = units::wanted_ports(&scale);
        let ports: Ports = wanted
            .into_iter()
            .zip(1000..)
            .map(|((name, _), port)| (name, port))
            .collect();
        let second = ports["comm-consumer-2-internal"];
        let system = System {
            workspace,
            binaries: "/nowhere".into(),
            ports,
            amqp_url: "amqp://a:b@127.0.0.1:1/%2f".to_owned(),
            scale,
        };
        let text = environment(&system).expect("every address has a port");
        let System {
            workspace, ports, ..
        } = system;
        let script = format!(
            "{text} echo \"$GATEWAY_URL $AMQP_URL $COMM_DATABASE_URL $COMM_CONSUMER_2_INTERNAL_URL\""
        );
        let output = std::process::Command::new("sh")
            .args(["-euc", &script])
            .output()
            .expect("there is a shell");
        let secret = workspace
            .secret("comm_service")
            .expect("a secret is made at its first use");
        let expected = format!(
            "http://127.0.0.1:{} amqp://a:b@127.0.0.1:1/%2f postgres://comm_service:{secret}@127.0.0.1:{}/comm_db http://127.0.0.1:{second}\n",
            ports["gateway"], ports["postgres"]
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        std::fs::remove_dir_all(workspace.state_dir).expect("the test made it");
    }
}
