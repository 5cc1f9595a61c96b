//! The fixture of one test: a database, a virtual host, and a handler that does what an event's e-mail says.
#![expect(
    clippy::disallowed_methods,
    reason = "a table of the test's own, unknown to the checked queries"
)]

use events::{
    Event, EventId, Role, UserId, WaitsFor,
    auth::{UserCreated, UserDeleted},
    topology::PROFILE,
};
use messaging::{
    Broker, BrokerConfig, Cause, Consumer, Failure, Handlers, Limits, Message, Outbox, Outcome,
    Status, Transaction,
};
use service_kit::config::DatabaseConfig;
use sqlx::{PgPool, Postgres};
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Mutex,
    time::Duration,
};
use test_support::{Database, Proxy, Vhost, eventually, servers};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take that takes milliseconds when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) vhost: Vhost,
    /// Between the fixture and RabbitMQ.
    pub(crate) to_broker: Proxy,
    pub(crate) stop: CancellationToken,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = Database::migrated(&[&messaging::MIGRATOR]).await;
        sqlx::query("create table effect (event_id uuid, user_id uuid, email text, at serial)")
            .execute(&database.pool)
            .await
            .unwrap();
        let vhost = Vhost::new().await;
        let to_broker = Proxy::to(address_of(&vhost.amqp_url)).await;
        Self {
            database,
            vhost,
            to_broker,
            stop: CancellationToken::new(),
        }
    }

    /// The broker, through the proxy.
    pub(crate) fn broker(&self) -> Broker {
        broker(&self.vhost.amqp_url, self.to_broker.address)
    }

    /// The broker, with a login that may do what profile-service may in production: read its queues and publish.
    pub(crate) async fn production_broker(&self) -> Broker {
        let (name, vhost) = (
            format!("login-{}", Uuid::new_v4().simple()),
            self.vhost.amqp_url.rsplit('/').next().unwrap(),
        );
        let put = async |path: String, body: serde_json::Value| {
            let url = format!("{}/api/{path}", servers::management_url());
            let request = reqwest::Client::new().put(url).json(&body).send().await;
            request.unwrap().error_for_status().unwrap();
        };
        let user = serde_json::json!({"password": "secret", "tags": ""});
        put(format!("users/{name}"), user).await;
        let rights = serde_json::json!({"configure": "^$", "write": "^events\\.topic$", "read": "^profile\\."});
        put(format!("permissions/{vhost}/{name}"), rights).await;
        let url = servers::with_login(&self.vhost.amqp_url, &name, "secret");
        broker(&url, self.to_broker.address)
    }

    pub(crate) fn outbox_without_relay(&self) -> Outbox {
        Outbox::without_relay(self.database.pool.clone(), "auth-service")
    }

    /// Starts a relay; its task ends after [`Fixture::stop`].
    pub(crate) fn start_relay(&self) -> (Outbox, JoinHandle<()>) {
        self.start_relay_at(self.broker())
    }

    pub(crate) fn start_relay_at(&self, broker: Broker) -> (Outbox, JoinHandle<()>) {
        let (outbox, relay) = messaging::outbox(self.database.pool.clone(), broker);
        (outbox, tokio::spawn(relay.run(self.stop.clone())))
    }

    /// Starts a consumer of `profile.events`, and waits until it is subscribed.
    pub(crate) async fn start_consumer(&self) -> JoinHandle<()> {
        self.start_consumer_with(self.database.pool.clone()).await
    }

    pub(crate) async fn start_consumer_with(&self, pool: PgPool) -> JoinHandle<()> {
        self.start_consumer_at(pool, self.broker()).await
    }

    pub(crate) async fn start_consumer_at(&self, pool: PgPool, broker: Broker) -> JoinHandle<()> {
        self.run(consumer(pool, broker)).await
    }

    /// Starts a consumer with these time limits, and waits until it is subscribed.
    pub(crate) async fn start_limited_consumer(&self, pool: PgPool, limits: Limits) -> Status {
        let consumer = consumer(pool, self.broker()).with_limits(limits);
        let status = consumer.status();
        self.run(consumer).await;
        status
    }

    pub(crate) async fn run(&self, consumer: Consumer) -> JoinHandle<()> {
        let status = consumer.status();
        let task = tokio::spawn(consumer.run(self.stop.clone()));
        eventually(SOON, "the consumer is subscribed", async || {
            status.check().is_ok()
        })
        .await;
        task
    }

    /// A pool as a service has it, and the way from it to the database.
    pub(crate) async fn pool_through_proxy(&self) -> (PgPool, Proxy) {
        let url: reqwest::Url = self.database.url.parse().unwrap();
        let target = url.socket_addrs(|| None).unwrap()[0];
        let proxy = Proxy::to(target).await;
        let through = (self.database.url).replace(&target.to_string(), &proxy.address.to_string());
        assert_ne!(through, self.database.url);
        (pool_of(through).await, proxy)
    }

    /// A pool as a service has it.
    pub(crate) async fn pool(&self) -> PgPool {
        pool_of(self.database.url.clone()).await
    }

    /// Locks a table, until the transaction ends.
    pub(crate) async fn lock(&self, table: &str) -> sqlx::Transaction<'static, Postgres> {
        let mut holder = self.database.pool.begin().await.unwrap();
        let lock = format!("lock table {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut *holder)
            .await
            .unwrap();
        holder
    }

    /// Waits until a session waits for a lock in a statement that begins like this.
    pub(crate) async fn waits_for_a_lock(&self, statement: &str) {
        let waits = format!(
            "exists (select from pg_stat_activity where datname = current_database()
                     and wait_event_type = 'Lock' and query like '{statement}%')"
        );
        eventually(SOON, &waits, async || self.database.is(&waits).await).await;
    }

    /// Publishes an event as another process of the system does, by hand.
    pub(crate) async fn send(&self, event: &UserCreated) -> EventId {
        let event_id = EventId::new();
        self.vhost
            .publish(UserCreated::KEY, bare_envelope(event, event_id))
            .await;
        event_id
    }

    /// Parks an event that is due in an hour, as a consumer has done it that is not there any more.
    pub(crate) async fn park(&self, event: &UserCreated) -> EventId {
        let event_id = EventId::new();
        let body = bare_envelope(event, event_id);
        let insert = "insert into parked_event (event_id, state, queue, exchange, routing_key, body, kind, reason,
                                                due_at, admitted)
             values ($1, 'waiting', $2, 'events.topic', $3, $4, 'database', '', now() + interval '1 hour', true)";
        sqlx::query(insert)
            .bind(event_id.as_uuid())
            .bind(PROFILE.queue.name)
            .bind(UserCreated::KEY)
            .bind(body.into_bytes())
            .execute(&self.database.pool)
            .await
            .unwrap();
        event_id
    }

    pub(crate) async fn effects(&self) -> i64 {
        self.database.count("effect").await
    }

    pub(crate) async fn has_effect(&self, event: &UserCreated) {
        let condition = format!(
            "exists (select from effect where user_id = '{}')",
            event.user_id
        );
        eventually(SOON, "the event's effect", async || {
            self.database.is(&condition).await
        })
        .await;
    }

    /// An event that is sent now has its effect: the fixture works. Returns how long that took.
    pub(crate) async fn proof_of_life(&self) -> Duration {
        let began = Instant::now();
        let event = user("life");
        self.send(&event).await;
        self.has_effect(&event).await;
        began.elapsed()
    }

    pub(crate) async fn parked(&self, what: &str) {
        let condition = format!("exists (select from parked_event where {what})");
        eventually(SOON, &condition, async || {
            self.database.is(&condition).await
        })
        .await;
    }
}

/// A consumer of `profile.events` with the handlers of the fixture.
fn consumer(pool: PgPool, broker: Broker) -> Consumer {
    let outbox = Outbox::without_relay(pool, "profile-service");
    let handlers = Handlers::new().on(on_user_created).ignore::<UserDeleted>();
    Consumer::new(broker, outbox, &PROFILE.queue, handlers)
}

async fn pool_of(url: String) -> PgPool {
    let config = DatabaseConfig {
        database_url: Some(url.into()),
        database_url_file: None,
        database_max_connections: 8,
    };
    let stopping = CancellationToken::new();
    service_kit::database::connect(&config, &stopping)
        .await
        .unwrap()
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An event; what its handler does stands in the e-mail.
pub(crate) fn user(email: &str) -> UserCreated {
    UserCreated {
        user_id: UserId::new(),
        email: email.into(),
        role: Role::Student,
        ..UserCreated::sample()
    }
}

/// The envelope of the original system, plus an id and a version.
pub(crate) fn bare_envelope(event: &UserCreated, event_id: EventId) -> String {
    let payload = serde_json::to_value(event).unwrap();
    serde_json::json!({"payload": payload, "_meta": {"event_id": event_id, "routing_key": UserCreated::KEY,
        "source": "auth-service", "aggregate_version": 1}})
        .to_string()
}

pub(crate) async fn commit(outbox: &Outbox, event: UserCreated) {
    let mut tx = outbox.begin().await.unwrap();
    tx.enqueue(&Cause::root(Uuid::now_v7()), 1, event)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A broker that also reads what the services publish that are being replaced.
pub(crate) fn compat_broker(url: &str, exchange: &str) -> Broker {
    let (amqp_url, compat_exchange) = (Some(url.to_owned().into()), Some(exchange.to_owned()));
    Broker::new(
        &BrokerConfig {
            amqp_url,
            amqp_url_file: None,
            compat_exchange,
        },
        "auth-service",
    )
    .unwrap()
}

pub(crate) fn broker(url: &str, through: SocketAddr) -> Broker {
    let url = url.replace(&address_of(url).to_string(), &through.to_string());
    let config = BrokerConfig {
        amqp_url: Some(url.into()),
        amqp_url_file: None,
        compat_exchange: None,
    };
    Broker::new(&config, "auth-service").unwrap()
}

fn address_of(url: &str) -> SocketAddr {
    let authority = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    authority.parse().unwrap()
}

/// What the event "needs the gate" waits for, and the event "gate" releases.
pub(crate) fn gate_key() -> WaitsFor {
    WaitsFor::user(Uuid::nil().into())
}

static FAILED_ONCE: Mutex<Option<HashSet<UserId>>> = Mutex::new(None);

pub(crate) async fn on_user_created(
    tx: &mut Transaction,
    events: &[Message<UserCreated>],
) -> Result<Outcome, Failure> {
    let mut waiting = HashMap::new();
    for event in events {
        let user = &event.payload;
        match user.email.as_str() {
            "reject" => return Err(Failure::Reject("the test says so".into())),
            "panic" => panic!("the test says so"),
            "flaky"
                if FAILED_ONCE
                    .lock()
                    .unwrap()
                    .get_or_insert_default()
                    .insert(user.user_id) =>
            {
                return Err(Failure::Database(sqlx::Error::RowNotFound));
            }
            "needs the gate" => {
                let open: i64 =
                    sqlx::query_scalar("select count(*) from effect where email = 'gate'")
                        .fetch_one(&mut **tx)
                        .await?;
                if open == 0 {
                    waiting.insert(event.meta.event_id, gate_key());
                    continue;
                }
            }
            "waits without end" => {
                waiting.insert(event.meta.event_id, WaitsFor::user(user.user_id));
                continue;
            }
            "gate" => tx.release(&[gate_key()]).await?,
            "unhurried" => {
                sqlx::query("select pg_sleep(0.002)")
                    .execute(&mut **tx)
                    .await?;
            }
            "slow" => {
                sqlx::query("select pg_sleep(5)").execute(&mut **tx).await?;
            }
            _ => {}
        }
        sqlx::query("insert into effect (event_id, user_id, email) values ($1, $2, $3)")
            .bind(event.meta.event_id.as_uuid())
            .bind(user.user_id.as_uuid())
            .bind(&user.email)
            .execute(&mut **tx)
            .await?;
    }
    Ok(Outcome::Wait(waiting))
}
