//! The units of the stack, as data: what runs, from which program, and when it is ready.

use crate::{
    command_spec::CommandSpec,
    gateway,
    ports::Ports,
    postgres::{self, Postgres},
    rabbitmq::RabbitMq,
    settings,
    workspace::Workspace,
};
use events::topology::{AUTH, SERVICES, Service};
use serde_json::Value;
use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, time::Duration};

/// One child process of the launcher.
#[derive(Clone)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) program: CommandSpec,
    pub(crate) ready: Ready,
    /// The port that it listens on.
    pub(crate) port: u16,
    pub(crate) tier: Tier,
}

/// When a unit counts as ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ready {
    /// It accepts TCP connections on this port.
    Listening(u16),
    /// Its internal listener on this port responds that it is ready.
    Healthy(u16),
}

/// The order of start; the order of stopping is the reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// PostgreSQL, RabbitMQ and what they need.
    Backing,
    /// The services and the gateway.
    System,
}

/// The ports that a stack needs: the name, and the usual port where there is one.
pub(crate) fn wanted_ports(scale: &Scale) -> Vec<(String, Option<u16>)> {
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
    for service in SERVICES {
        wanted.push((service.name.to_owned(), None));
        wanted.push((internal(service.name), None));
        for consumer in consumers(service, scale) {
            wanted.push((internal(&consumer), None));
        }
    }
    wanted
}

/// The name of the port on which a process says whether it is ready.
pub(crate) fn internal(unit: &str) -> String {
    format!("{unit}-internal")
}

/// The unit of a service's first consumer process.
pub(crate) fn consumer(service: &Service) -> String {
    format!("{}-consumer", service.short)
}

/// The units of all consumer processes of a service.
pub(crate) fn consumers(service: &Service, scale: &Scale) -> Vec<String> {
    let first = consumer(service);
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

/// What the services and the gateway are started with.
pub(crate) struct System {
    pub(crate) workspace: Workspace,
    /// The directory of the services' programs.
    pub(crate) binaries: PathBuf,
    pub(crate) ports: Ports,
    pub(crate) amqp_url: String,
    pub(crate) scale: Scale,
}

/// Unit of a first consumer → number of its processes, where it is not one.
pub(crate) type Scale = BTreeMap<String, u32>;

impl System {
    /// The API and the consumers of each service, and the gateway.
    pub(crate) fn units(&self) -> anyhow::Result<Vec<Unit>> {
        let mut units = Vec::new();
        for service in SERVICES {
            let api = service.name.to_owned();
            units.push(self.process(service, "serve", api, self.ports[service.name])?);
            for name in consumers(service, &self.scale) {
                units.push(self.consumer(service, name)?);
            }
        }
        let port = self.ports["gateway"];
        units.push(Unit {
            name: "gateway".into(),
            program: gateway::program(&self.workspace, &self.ports),
            ready: Ready::Listening(port),
            port,
            tier: Tier::System,
        });
        Ok(units)
    }

    /// A process of a consumer.
    pub(crate) fn consumer(&self, service: &Service, name: String) -> anyhow::Result<Unit> {
        let port = self.ports[&internal(&name)];
        self.process(service, "consume-events", name, port)
    }

    fn process(
        &self,
        service: &Service,
        role: &str,
        name: String,
        port: u16,
    ) -> anyhow::Result<Unit> {
        let address = |port: u16| format!("127.0.0.1:{port}");
        let internal = self.ports[&internal(&name)];
        let auth = format!("http://{}", address(self.ports[AUTH.name]));
        let program = self
            .program(service, role)?
            .env("AMQP_URL", &self.amqp_url)
            .env("HTTP_ADDR", address(self.ports[service.name]))
            .env("INTERNAL_ADDR", address(internal))
            .env("JWKS_URL", format!("{auth}/auth/.well-known/jwks.json"))
            .env("AUTH_URL", auth);
        Ok(Unit {
            name,
            program: self.configured(program)?,
            ready: Ready::Healthy(internal),
            port,
            tier: Tier::System,
        })
    }

    /// Adds what a person has set, and what a developer's machine has instead.
    fn configured(&self, mut program: CommandSpec) -> anyhow::Result<CommandSpec> {
        for name in [
            settings::CORS_ORIGINS,
            settings::MAIL_FROM,
            settings::NOTICE_LINKS,
        ] {
            if let Some(value) = settings::value(&self.workspace, name) {
                program = program.env(name, value);
            }
        }
        let value = |name| settings::value(&self.workspace, name).filter(|text| !text.is_empty());
        let gateway = || format!("http://localhost:{}", self.ports["gateway"]);
        let mails = self.workspace.path("mail");
        let files = reqwest::Url::from_file_path(&mails)
            .map_err(|()| anyhow::anyhow!("{} is no absolute path", mails.display()))?;
        Ok(program
            .env(
                settings::PUBLIC_URL,
                value(settings::PUBLIC_URL).unwrap_or_else(gateway),
            )
            .env(
                settings::MAIL_URL,
                value(settings::MAIL_URL).unwrap_or_else(|| files.into()),
            ))
    }

    /// A service's program in one of its roles, with the address of its database.
    pub(crate) fn program(&self, service: &Service, role: &str) -> anyhow::Result<CommandSpec> {
        let url = postgres::url(
            service.role,
            &self.workspace.secret(service.role)?,
            self.ports["postgres"],
            service.database,
        );
        // Outside of the repository, so that a `.env` there does not change the stack.
        let program = CommandSpec::new(self.binaries.join(service.name))
            .arg(role)
            .env("DATABASE_URL", url);
        Ok(program.dir(&self.workspace.state_dir).kill_with_parent())
    }
}

/// The name of a unit that a person may have typed otherwise: `auth` is `auth-service`, and `comm-service-consumer`, as the
/// container is called, is `comm-consumer`.
pub(crate) fn name_of(typed: &str) -> String {
    for service in SERVICES {
        match typed.strip_prefix(service.short) {
            Some("" | "-api") => return service.name.to_owned(),
            Some(rest) if rest.starts_with("-service-consumer") => {
                return typed.replacen("-service", "", 1);
            }
            _ => {}
        }
    }
    typed.to_owned()
}

/// Whether a name that a person typed means this unit: `comm-consumer` means all its processes, `comm-consumer-2` one.
pub(crate) fn is_meant(typed: &str, unit: &str) -> bool {
    let name = name_of(typed);
    unit.strip_prefix(name.as_str()).is_some_and(|rest| {
        rest.is_empty()
            || name.ends_with("-consumer")
                && rest
                    .strip_prefix('-')
                    .is_some_and(|number| number.parse::<u32>().is_ok())
    })
}

/// Whether a unit is ready now.
pub(crate) async fn is_ready(ready: Ready) -> bool {
    match ready {
        Ready::Listening(port) => tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_ok(),
        Ready::Healthy(port) => health(port)
            .await
            .is_ok_and(|response| response.status().is_success()),
    }
}

/// Whether a unit is ready, and none of its checks finds a fault: a process that is ready may still wait to connect to the
/// broker once more.
pub(crate) async fn is_well(ready: Ready) -> bool {
    let Ready::Healthy(port) = ready else {
        return is_ready(ready).await;
    };
    let report = async {
        health(port)
            .await?
            .error_for_status()?
            .json::<Value>()
            .await
    };
    report.await.is_ok_and(|report| {
        let checks = report["checks"].as_object();
        checks.is_some_and(|checks| checks.values().all(|result| result == "ok"))
    })
}

async fn health(port: u16) -> reqwest::Result<reqwest::Response> {
    reqwest::Client::new()
        .get(format!("http://127.0.0.1:{port}/health/ready"))
        .timeout(Duration::from_secs(3))
        .send()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stand_for_units() {
        assert_eq!(name_of("comm-service-consumer"), "comm-consumer");
        assert_eq!(name_of("comm-service-consumer-2"), "comm-consumer-2");
        assert_eq!(name_of("auth"), "auth-service");
        for same in ["auth-service", "comm-consumer", "rabbitmq", "nonsense"] {
            assert_eq!(name_of(same), same);
        }
    }

    #[test]
    fn the_name_of_a_consumer_means_all_its_processes() {
        assert!(is_meant("comm-consumer", "comm-consumer"));
        assert!(is_meant("comm-service-consumer", "comm-consumer-3"));
        assert!(is_meant("comm-consumer-2", "comm-consumer-2"));
        assert!(!is_meant("comm-consumer-2", "comm-consumer-21"));
        assert!(!is_meant("comm-consumer-2", "comm-consumer"));
        assert!(!is_meant("auth-service", "auth-consumer"));
        assert!(!is_meant("comm", "comm-consumer"));
    }

    #[test]
    fn scaling_adds_consumers_with_ports_of_their_own() {
        let scale = BTreeMap::from([("comm-consumer".to_owned(), 3)]);
        let wanted = wanted_ports(&scale);
        assert!(
            wanted
                .iter()
                .any(|(name, _)| name == "comm-consumer-3-internal")
        );
        assert_eq!(wanted.len(), wanted_ports(&BTreeMap::new()).len() + 2);
    }

    #[test]
    fn mails_are_files_unless_a_person_sets_a_server() {
        let dir = std::env::temp_dir().join(format!("mails {}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        let workspace = Workspace {
            repository: dir.clone(),
            state_dir: dir.join(".medtrack"),
        };
        let configured = || {
            let system = System {
                workspace: workspace.clone(),
                binaries: dir.clone(),
                ports: Ports::from([("gateway".to_owned(), 8081)]),
                amqp_url: String::new(),
                scale: Scale::new(),
            };
            let program = system.configured(CommandSpec::new("auth-service")).unwrap();
            let command = program.command();
            let value = |name: &str| {
                let mut variables = command.as_std().get_envs();
                let (_, value) = variables.find(|(variable, _)| *variable == name)?;
                Some(value?.to_string_lossy().into_owned())
            };
            ["PUBLIC_URL", "MAIL_URL", "MAIL_FROM", "NOTICE_LINKS"].map(value)
        };
        let [page, mails, from, links] = configured();
        assert_eq!(page.as_deref(), Some("http://localhost:8081"));
        let mails = mails.unwrap();
        assert!(mails.starts_with("file:///") && mails.ends_with("/.medtrack/mail"));
        assert!(!mails.contains(' ') && from.is_none(), "{mails}");
        assert_eq!(links, None);
        let set = "MAIL_URL=smtp://localhost:1025\nMAIL_FROM=a@example.org\nPUBLIC_URL=\n\
                   NOTICE_LINKS=stage=https://a.example/#/{id}\n";
        std::fs::write(dir.join(".env"), set).unwrap();
        let [page, mails, from, links] = configured();
        assert_eq!(page.as_deref(), Some("http://localhost:8081"));
        assert_eq!(mails.as_deref(), Some("smtp://localhost:1025"));
        assert_eq!(from.as_deref(), Some("a@example.org"));
        assert_eq!(links.as_deref(), Some("stage=https://a.example/#/{id}"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
