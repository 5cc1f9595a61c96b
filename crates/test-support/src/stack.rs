//! All services together: their databases, a virtual host, their processes.

use crate::{Client, Database, Mode, Process, Proxy, Vhost, port, servers};
use events::topology::{AUTH, COMM, PROFILE, SERVICES, Service};
use futures_util::future::join_all;
use std::{collections::HashMap, net::SocketAddr, process::ExitStatus, time::Duration};

/// A process of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// auth-service's API.
    Auth,
    /// auth-service's consumer.
    AuthConsumer,
    /// profile-service's API.
    Profile,
    /// profile-service's consumer.
    ProfileConsumer,
    /// comm-service's API.
    Comm,
    /// comm-service's consumer.
    CommConsumer,
}

impl Unit {
    /// All of them, in the order of their starts.
    pub const ALL: [Unit; 6] = [
        Unit::Auth,
        Unit::AuthConsumer,
        Unit::Profile,
        Unit::ProfileConsumer,
        Unit::Comm,
        Unit::CommConsumer,
    ];
    /// The processes that consume.
    pub const CONSUMERS: [Unit; 3] = [
        Unit::AuthConsumer,
        Unit::ProfileConsumer,
        Unit::CommConsumer,
    ];

    /// The service that the process belongs to.
    pub fn service(self) -> &'static Service {
        match self {
            Unit::Auth | Unit::AuthConsumer => &AUTH,
            Unit::Profile | Unit::ProfileConsumer => &PROFILE,
            Unit::Comm | Unit::CommConsumer => &COMM,
        }
    }

    fn role(self) -> &'static str {
        if Self::CONSUMERS.contains(&self) {
            "consume-events"
        } else {
            "serve"
        }
    }
}

/// How the processes reach PostgreSQL and RabbitMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Without a proxy.
    Direct,
    /// Each through a proxy of its own.
    Proxied,
}

/// The system of one test.
pub struct Stack {
    // First, so that the processes end before what they use is dropped.
    slots: Vec<Slot>,
    /// auth-service's database.
    pub auth: Database,
    /// profile-service's database.
    pub profile: Database,
    /// comm-service's database.
    pub comm: Database,
    /// The virtual host.
    pub vhost: Vhost,
    /// Speaks to the APIs.
    pub client: Client,
    settings: Vec<(&'static str, String)>,
}

/// The addresses of a process; they stay the same over restarts.
struct Slot {
    unit: Unit,
    http: SocketAddr,
    internal: SocketAddr,
    database_url: String,
    amqp_url: String,
    database_link: Option<Proxy>,
    broker_link: Option<Proxy>,
    process: Option<Process>,
}

impl Stack {
    /// All processes, ready, their links direct.
    pub async fn start() -> Self {
        let mut stack = Self::prepare(Links::Direct).await;
        stack.start_units(&Unit::ALL).await;
        stack
    }

    /// Everything but the processes: databases migrated by the real `migrate`, a virtual host, addresses.
    ///
    /// # Panics
    /// When a migration fails.
    pub async fn prepare(links: Links) -> Self {
        let (auth, profile, comm, vhost) = tokio::join!(
            migrated(&AUTH),
            migrated(&PROFILE),
            migrated(&COMM),
            Vhost::new()
        );
        let databases: HashMap<_, _> = by_service(&auth, &profile, &comm)
            .map(|(service, database)| (service.short, database))
            .into();
        let mut slots = Vec::new();
        for unit in Unit::ALL {
            let url = &databases[unit.service().short].url;
            let (database_link, database_url) = link(links, url).await;
            let (broker_link, amqp_url) = link(links, &vhost.amqp_url).await;
            let (http, internal) = (port::free(), port::free());
            slots.push(Slot {
                unit,
                http,
                internal,
                database_url,
                amqp_url,
                database_link,
                broker_link,
                process: None,
            });
        }
        let apis = slots
            .iter()
            .filter(|slot: &&Slot| slot.unit.role() == "serve");
        let addresses = apis.map(|slot| (slot.unit.service().short, slot.http));
        let client = Client::new(addresses.collect());
        Self {
            slots,
            auth,
            profile,
            comm,
            vhost,
            client,
            settings: Vec::new(),
        }
    }

    /// The databases of all services.
    pub fn databases(&self) -> [(&'static Service, &Database); SERVICES.len()] {
        by_service(&self.auth, &self.profile, &self.comm)
    }

    /// The variables that tell the operator's command where the databases are, with the operator's login.
    pub fn operator_variables(&self) -> impl Iterator<Item = (String, &str)> {
        self.databases().into_iter().map(|(service, database)| {
            let variable = format!("{}_OPERATOR_DATABASE_URL", service.short.to_uppercase());
            (variable, database.operator_url.as_str())
        })
    }

    /// Lets a process reach RabbitMQ at this address from its next start on.
    pub fn set_broker_url(&mut self, unit: Unit, url: String) {
        self.slots[unit as usize].amqp_url = url;
    }

    /// Starts processes side by side, and waits until all are ready.
    ///
    /// # Panics
    /// When one is not ready in time.
    pub async fn start_units(&mut self, units: &[Unit]) {
        self.spawn(units);
        let started = self
            .slots
            .iter_mut()
            .filter(|slot| units.contains(&slot.unit));
        join_all(started.map(async |slot| {
            if let Some(process) = &mut slot.process {
                process.ready(slot.internal).await;
            }
        }))
        .await;
    }

    /// Sets a variable of the processes that are started from now on.
    pub fn set(&mut self, variable: &'static str, value: impl Into<String>) {
        self.settings.push((variable, value.into()));
    }

    /// Starts processes side by side, and does not wait.
    pub fn spawn(&mut self, units: &[Unit]) {
        for unit in units {
            let process = self.one_more(*unit, self.internal(*unit));
            self.slots[*unit as usize].process = Some(process);
        }
    }

    /// One more process of the same kind beside the first, ready; for a consumer, they share the work.
    pub async fn replica(&self, unit: Unit) -> Process {
        let internal = port::free();
        let mut process = self.one_more(unit, internal);
        process.ready(internal).await;
        process
    }

    fn one_more(&self, unit: Unit, internal: SocketAddr) -> Process {
        let slot = &self.slots[unit as usize];
        let auth = self.slots[Unit::Auth as usize].http;
        let environment = [
            ("DATABASE_URL", slot.database_url.clone()),
            ("DATABASE_MAX_CONNECTIONS", "4".to_owned()),
            ("AMQP_URL", slot.amqp_url.clone()),
            ("HTTP_ADDR", slot.http.to_string()),
            ("INTERNAL_ADDR", internal.to_string()),
            (
                "JWKS_URL",
                format!("http://{auth}/auth/.well-known/jwks.json"),
            ),
            ("AUTH_URL", format!("http://{auth}")),
        ];
        let environment = [&environment[..], &self.settings].concat();
        Process::start(unit.service().name, &[unit.role()], &environment)
    }

    /// A process that has been started.
    ///
    /// # Panics
    /// When it has not.
    pub fn process(&self, unit: Unit) -> &Process {
        self.slots[unit as usize]
            .process
            .as_ref()
            .unwrap_or_else(|| panic!("{unit:?} is not running"))
    }

    /// The address of a process's health and metrics.
    pub fn internal(&self, unit: Unit) -> SocketAddr {
        self.slots[unit as usize].internal
    }

    /// The address of an API for users.
    pub fn http(&self, unit: Unit) -> SocketAddr {
        self.slots[unit as usize].http
    }

    /// Kills a process at once.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&mut self, unit: Unit) {
        if let Some(mut process) = self.slots[unit as usize].process.take() {
            process.kill().await;
        }
    }

    /// Asks a process to stop; returns its exit status.
    ///
    /// # Panics
    /// When it is not running, or has not ended within `limit`.
    pub async fn stop(&mut self, unit: Unit, limit: Duration) -> ExitStatus {
        let process = self.slots[unit as usize].process.take();
        process
            .unwrap_or_else(|| panic!("{unit:?} is not running"))
            .stop(limit)
            .await
    }

    /// The link from a process to RabbitMQ.
    ///
    /// # Panics
    /// When the links are direct.
    pub fn broker_link(&self, unit: Unit) -> &Proxy {
        self.slots[unit as usize]
            .broker_link
            .as_ref()
            .expect("prepare the stack with Links::Proxied")
    }

    /// The link from a process to PostgreSQL.
    ///
    /// # Panics
    /// When the links are direct.
    pub fn database_link(&self, unit: Unit) -> &Proxy {
        self.slots[unit as usize]
            .database_link
            .as_ref()
            .expect("prepare the stack with Links::Proxied")
    }

    /// Sets the links from all processes to RabbitMQ to the same mode.
    ///
    /// # Panics
    /// When the links are direct.
    pub fn set_broker(&self, mode: Mode) {
        for unit in Unit::ALL {
            self.broker_link(unit).set(mode);
        }
    }
}

/// The databases with their services: one for each entry of `SERVICES`.
fn by_service<'a>(
    auth: &'a Database,
    profile: &'a Database,
    comm: &'a Database,
) -> [(&'static Service, &'a Database); SERVICES.len()] {
    [(&AUTH, auth), (&PROFILE, profile), (&COMM, comm)]
}

async fn migrated(service: &Service) -> Database {
    let database = Database::empty().await;
    Process::run(
        service.name,
        &["migrate"],
        &[("DATABASE_URL", database.url.clone())],
    )
    .await;
    database
}

async fn link(links: Links, url: &str) -> (Option<Proxy>, String) {
    match links {
        Links::Direct => (None, url.to_owned()),
        Links::Proxied => {
            let proxy = Proxy::to(servers::address_of(url)).await;
            let url = servers::with_address(url, proxy.address);
            (Some(proxy), url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_of_each_service_is_a_unit() {
        let units = Unit::ALL.map(|unit| (unit.service().name, unit.role()));
        let processes = SERVICES
            .iter()
            .flat_map(|service| [(service.name, "serve"), (service.name, "consume-events")]);
        assert!(units.into_iter().eq(processes), "{units:?}");
    }
}
