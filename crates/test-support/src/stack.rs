//! The three services together: three databases, a virtual host, six processes.

use crate::{Client, Database, Mode, Process, Proxy, Vhost, port, servers};
use futures_util::future::join_all;
use std::{net::SocketAddr, process::ExitStatus, time::Duration};

/// One of the six processes.
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
    pub const CONSUMERS: [Unit; 3] = [Unit::AuthConsumer, Unit::ProfileConsumer, Unit::CommConsumer];

    fn command(self) -> (&'static str, &'static str) {
        match self {
            Unit::Auth => ("auth-service", "serve"),
            Unit::AuthConsumer => ("auth-service", "consume-events"),
            Unit::Profile => ("profile-service", "serve"),
            Unit::ProfileConsumer => ("profile-service", "consume-events"),
            Unit::Comm => ("comm-service", "serve"),
            Unit::CommConsumer => ("comm-service", "consume-events"),
        }
    }
}

/// How the processes reach PostgreSQL and RabbitMQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// Straight.
    Direct,
    /// Each through a proxy of its own.
    Proxied,
}

/// The system of one test.
pub struct Stack {
    // First, so that the processes end before what they use is dropped.
    posts: Vec<Post>,
    /// auth-service's database.
    pub auth: Database,
    /// profile-service's database.
    pub profile: Database,
    /// comm-service's database.
    pub comm: Database,
    /// The virtual host.
    pub vhost: Vhost,
    /// Speaks to the three APIs.
    pub client: Client,
}

/// Where a process runs; it stays the same over restarts.
struct Post {
    unit: Unit,
    http: SocketAddr,
    internal: SocketAddr,
    database_url: String,
    amqp_url: String,
    database_edge: Option<Proxy>,
    broker_edge: Option<Proxy>,
    process: Option<Process>,
}

impl Stack {
    /// All six processes, ready, their edges direct.
    pub async fn start() -> Self {
        let mut stack = Self::prepare(Edges::Direct).await;
        stack.start_units(&Unit::ALL).await;
        stack
    }

    /// Everything but the processes: databases migrated by the real `migrate`, a virtual host, addresses.
    ///
    /// # Panics
    /// When a migration fails.
    pub async fn prepare(edges: Edges) -> Self {
        let (auth, profile, comm, vhost) = tokio::join!(
            migrated("auth-service"),
            migrated("profile-service"),
            migrated("comm-service"),
            Vhost::new()
        );
        let mut posts = Vec::new();
        for unit in Unit::ALL {
            let database = match unit {
                Unit::Auth | Unit::AuthConsumer => &auth,
                Unit::Profile | Unit::ProfileConsumer => &profile,
                Unit::Comm | Unit::CommConsumer => &comm,
            };
            let (database_edge, database_url) = edge(edges, &database.url).await;
            let (broker_edge, amqp_url) = edge(edges, &vhost.amqp_url).await;
            let (http, internal) = (port::free(), port::free());
            posts.push(Post {
                unit,
                http,
                internal,
                database_url,
                amqp_url,
                database_edge,
                broker_edge,
                process: None,
            });
        }
        let http = |unit: Unit| posts[unit as usize].http;
        let client = Client::new(http(Unit::Auth), http(Unit::Profile), http(Unit::Comm));
        Self { posts, auth, profile, comm, vhost, client }
    }

    /// Starts processes side by side, and waits until all are ready.
    ///
    /// # Panics
    /// When one is not ready in time.
    pub async fn start_units(&mut self, units: &[Unit]) {
        self.spawn(units);
        let started = self.posts.iter_mut().filter(|post| units.contains(&post.unit));
        join_all(started.map(async |post| {
            if let Some(process) = &mut post.process {
                process.ready(post.internal).await;
            }
        }))
        .await;
    }

    /// Starts processes side by side, and does not wait.
    pub fn spawn(&mut self, units: &[Unit]) {
        for unit in units {
            let process = self.one_more(*unit, self.internal(*unit));
            self.posts[*unit as usize].process = Some(process);
        }
    }

    /// One more process of the same kind beside the first, ready; for a consumer, they share the work.
    pub async fn twin(&self, unit: Unit) -> Process {
        let internal = port::free();
        let mut process = self.one_more(unit, internal);
        process.ready(internal).await;
        process
    }

    fn one_more(&self, unit: Unit, internal: SocketAddr) -> Process {
        let post = &self.posts[unit as usize];
        let auth = self.posts[Unit::Auth as usize].http;
        let (binary, role) = unit.command();
        let environment = [
            ("DATABASE_URL", post.database_url.clone()),
            ("DATABASE_MAX_CONNECTIONS", "4".to_owned()),
            ("AMQP_URL", post.amqp_url.clone()),
            ("HTTP_ADDR", post.http.to_string()),
            ("INTERNAL_ADDR", internal.to_string()),
            ("JWKS_URL", format!("http://{auth}/auth/.well-known/jwks.json")),
        ];
        Process::start(binary, &[role], &environment)
    }

    /// A process that has been started.
    ///
    /// # Panics
    /// When it has not.
    pub fn process(&self, unit: Unit) -> &Process {
        self.posts[unit as usize].process.as_ref().unwrap_or_else(|| panic!("{unit:?} is not running"))
    }

    /// Where a process tells its health and its metrics.
    pub fn internal(&self, unit: Unit) -> SocketAddr {
        self.posts[unit as usize].internal
    }

    /// Where an API answers users.
    pub fn http(&self, unit: Unit) -> SocketAddr {
        self.posts[unit as usize].http
    }

    /// Kills a process at once.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn kill(&mut self, unit: Unit) {
        if let Some(mut process) = self.posts[unit as usize].process.take() {
            process.kill().await;
        }
    }

    /// Asks a process to stop; tells how it ended.
    ///
    /// # Panics
    /// When it is not running, or has not ended within `limit`.
    pub async fn stop(&mut self, unit: Unit, limit: Duration) -> ExitStatus {
        let process = self.posts[unit as usize].process.take();
        process.unwrap_or_else(|| panic!("{unit:?} is not running")).stop(limit).await
    }

    /// The edge from a process to RabbitMQ.
    ///
    /// # Panics
    /// When the edges are direct.
    pub fn broker_edge(&self, unit: Unit) -> &Proxy {
        self.posts[unit as usize].broker_edge.as_ref().expect("prepare the stack with Edges::Proxied")
    }

    /// The edge from a process to PostgreSQL.
    ///
    /// # Panics
    /// When the edges are direct.
    pub fn database_edge(&self, unit: Unit) -> &Proxy {
        self.posts[unit as usize].database_edge.as_ref().expect("prepare the stack with Edges::Proxied")
    }

    /// Treats the edges from all processes to RabbitMQ alike.
    ///
    /// # Panics
    /// When the edges are direct.
    pub fn set_broker(&self, mode: Mode) {
        for unit in Unit::ALL {
            self.broker_edge(unit).set(mode);
        }
    }
}

async fn migrated(binary: &str) -> Database {
    let database = Database::empty().await;
    Process::run(binary, &["migrate"], &[("DATABASE_URL", database.url.clone())]).await;
    database
}

async fn edge(edges: Edges, url: &str) -> (Option<Proxy>, String) {
    match edges {
        Edges::Direct => (None, url.to_owned()),
        Edges::Proxied => {
            let proxy = Proxy::to(servers::address_of(url)).await;
            let url = servers::with_address(url, proxy.address);
            (Some(proxy), url)
        }
    }
}
