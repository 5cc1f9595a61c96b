//! The units of the stack, as data: what runs, from which program, and when it is ready.

use crate::{
    command_spec::CommandSpec,
    gateway,
    ports::Ports,
    postgres::{self, Postgres},
    rabbitmq::RabbitMq,
    workspace::Workspace,
};
use std::{collections::BTreeMap, net::Ipv4Addr, path::Path, time::Duration};

/// A service: binary, database, role. Its processes are units.
pub(crate) struct Service {
    /// The binary, and the unit of its API.
    pub(crate) name: &'static str,
    pub(crate) database: &'static str,
    pub(crate) role: &'static str,
    /// The short word for its units: `comm-consumer` is `comm-service-consumer`.
    short: &'static str,
}

pub(crate) const SERVICES: [Service; 3] = [
    Service {
        name: "auth-service",
        database: "auth_db",
        role: "auth_service",
        short: "auth",
    },
    Service {
        name: "profile-service",
        database: "profile_db",
        role: "profile_service",
        short: "profile",
    },
    Service {
        name: "comm-service",
        database: "comm_db",
        role: "comm_service",
        short: "comm",
    },
];

/// One child process of the launcher.
#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) program: CommandSpec,
    pub(crate) ready: Ready,
    /// Where it listens, for people.
    pub(crate) port: u16,
    pub(crate) tier: Tier,
}

/// When a unit counts as ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    /// It takes TCP connections on this port.
    Listening(u16),
    /// Its internal listener on this port says so.
    Healthy(u16),
}

/// What stops first and starts last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// PostgreSQL, RabbitMQ and what they need.
    Backing,
    /// The six processes and the gateway.
    System,
}

/// The ports that a stack wants: name, and the usual one.
pub(crate) fn wanted_ports(scale: &BTreeMap<String, u32>) -> Vec<(String, Option<u16>)> {
    let mut wanted: Vec<(String, Option<u16>)> = [
        ("gateway", Some(8080)),
        ("amqp", Some(5672)),
        ("management", Some(15672)),
        ("postgres", Some(5432)),
        ("prometheus", None),
        ("distribution", None),
        ("epmd", None),
    ]
    .map(|(name, usual)| (name.to_owned(), usual))
    .into();
    for service in &SERVICES {
        wanted.push((service.name.to_owned(), None));
        wanted.push((format!("{}-internal", service.name), None));
        for consumer in consumers(service, scale) {
            wanted.push((format!("{consumer}-internal"), None));
        }
    }
    wanted
}

/// The names of a service's consumer processes.
fn consumers(service: &Service, scale: &BTreeMap<String, u32>) -> Vec<String> {
    let first = format!("{}-consumer", service.name);
    let more = scale.get(&first).copied().unwrap_or(1);
    std::iter::once(first.clone())
        .chain((2..=more).map(|i| format!("{first}-{i}")))
        .collect()
}

pub(crate) fn backing(postgres: &Postgres, rabbitmq: &RabbitMq, ports: &Ports) -> Vec<Unit> {
    let unit = |name: &str, program, port| Unit {
        name: name.to_owned(),
        program,
        ready: Ready::Listening(port),
        port,
        tier: Tier::Backing,
    };
    vec![
        unit("epmd", rabbitmq.epmd(), ports["epmd"]),
        unit("rabbitmq", rabbitmq.server(), ports["amqp"]),
        unit("postgres", postgres.server(), ports["postgres"]),
    ]
}

/// The six processes, more consumers where they were asked for, and the gateway.
pub(crate) fn system(
    workspace: &Workspace,
    binaries: &Path,
    ports: &Ports,
    amqp_url: &str,
    scale: &BTreeMap<String, u32>,
) -> anyhow::Result<Vec<Unit>> {
    let mut units = Vec::new();
    for service in &SERVICES {
        let program = |role: &str, unit: &str| -> anyhow::Result<CommandSpec> {
            Ok(service_program(workspace, binaries, service, ports, role)?
                .env("AMQP_URL", amqp_url)
                .env("HTTP_ADDR", format!("127.0.0.1:{}", ports[service.name]))
                .env(
                    "INTERNAL_ADDR",
                    format!("127.0.0.1:{}", ports[&format!("{unit}-internal")]),
                )
                .env(
                    "JWKS_URL",
                    format!(
                        "http://127.0.0.1:{}/auth/.well-known/jwks.json",
                        ports["auth-service"]
                    ),
                ))
        };
        units.push(Unit {
            name: service.name.to_owned(),
            program: program("serve", service.name)?,
            ready: Ready::Healthy(ports[&format!("{}-internal", service.name)]),
            port: ports[service.name],
            tier: Tier::System,
        });
        for name in consumers(service, scale) {
            let internal = ports[&format!("{name}-internal")];
            let program = program("consume-events", &name)?;
            units.push(Unit {
                name,
                program,
                ready: Ready::Healthy(internal),
                port: internal,
                tier: Tier::System,
            });
        }
    }
    units.push(Unit {
        name: "gateway".into(),
        program: gateway::program(workspace, ports),
        ready: Ready::Listening(ports["gateway"]),
        port: ports["gateway"],
        tier: Tier::System,
    });
    Ok(units)
}

/// A service's binary in one of its roles, with the address of its database.
pub(crate) fn service_program(
    workspace: &Workspace,
    binaries: &Path,
    service: &Service,
    ports: &Ports,
    role: &str,
) -> anyhow::Result<CommandSpec> {
    let url = postgres::url(
        service.role,
        &workspace.secret(service.role)?,
        ports["postgres"],
        service.database,
    );
    // Away from the repository, so that a `.env` there does not reach into the stack.
    let program = CommandSpec::new(binaries.join(service.name))
        .arg(role)
        .env("DATABASE_URL", url);
    Ok(program.dir(&workspace.state_dir).kill_with_parent())
}

/// The full name of a unit: `comm-consumer` is `comm-service-consumer`, `auth` is `auth-service`.
pub(crate) fn full_name(name: &str) -> String {
    for service in &SERVICES {
        match name.strip_prefix(service.short) {
            Some("") | Some("-api") => return service.name.to_owned(),
            Some(rest) if rest.starts_with("-consumer") => {
                return format!("{}{rest}", service.name);
            }
            _ => {}
        }
    }
    name.to_owned()
}

/// Whether a unit is ready now.
pub(crate) async fn is_ready(ready: Ready) -> bool {
    match ready {
        Ready::Listening(port) => tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok(),
        Ready::Healthy(port) => {
            let asked = reqwest::Client::new()
                .get(format!("http://127.0.0.1:{port}/health/ready"))
                .timeout(Duration::from_secs(3))
                .send();
            asked
                .await
                .is_ok_and(|response| response.status().is_success())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stand_for_units() {
        assert_eq!(full_name("comm-consumer"), "comm-service-consumer");
        assert_eq!(full_name("comm-consumer-2"), "comm-service-consumer-2");
        assert_eq!(full_name("auth"), "auth-service");
        for same in ["auth-service", "rabbitmq", "gateway", "nonsense"] {
            assert_eq!(full_name(same), same);
        }
    }

    #[test]
    fn scaling_adds_consumers_with_ports_of_their_own() {
        let scale = BTreeMap::from([("comm-service-consumer".to_owned(), 3)]);
        let wanted = wanted_ports(&scale);
        assert!(
            wanted
                .iter()
                .any(|(name, _)| name == "comm-service-consumer-3-internal")
        );
        assert_eq!(wanted.len(), wanted_ports(&BTreeMap::new()).len() + 2);
    }
}
