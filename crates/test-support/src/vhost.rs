//! A RabbitMQ virtual host for each test.

use crate::{eventually, servers};
use events::topology::EXCHANGE;
use futures_util::StreamExt;
pub use lapin::BasicProperties;
use lapin::{
    Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use uuid::Uuid;

/// How long the broker may take for what it does in milliseconds.
const SOON: Duration = Duration::from_secs(10);

/// A virtual host of one test, with the exchange of the system in it; deleted with the test.
pub struct Vhost {
    /// Address for a process under test, as an administrator.
    pub amqp_url: String,
    name: String,
    connection: Connection,
    publisher: Channel,
}

impl Vhost {
    /// A fresh virtual host.
    ///
    /// # Panics
    /// When RabbitMQ refuses.
    pub async fn new() -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        manage(reqwest::Method::PUT, &format!("vhosts/{name}"), &json!({})).await;
        let everything = json!({"configure": ".*", "write": ".*", "read": ".*"});
        manage(
            reqwest::Method::PUT,
            &format!("permissions/{name}/{}", login()),
            &everything,
        )
        .await;
        let amqp_url = servers::with_name(&servers::amqp_url(), &name);
        let connection = Connection::connect(&amqp_url, ConnectionProperties::default())
            .await
            .expect("RabbitMQ lets its administrator in");
        let publisher = connection
            .create_channel()
            .await
            .expect("the connection is new");
        publisher
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .expect("the channel is new");
        // As a foreign publisher does it: durable, without arguments.
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        publisher
            .exchange_declare(
                EXCHANGE.into(),
                ExchangeKind::Topic,
                durable,
                FieldTable::default(),
            )
            .await
            .expect("the exchange can be declared plainly");
        Self {
            amqp_url,
            name,
            connection,
            publisher,
        }
    }

    /// Publishes a message to the exchange, persistent, with nothing but a key and a body; returns when the
    /// broker has confirmed it.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub async fn publish(&self, routing_key: &str, body: impl AsRef<[u8]>) {
        self.publish_with(
            routing_key,
            body,
            BasicProperties::default().with_delivery_mode(2),
        )
        .await;
    }

    /// Publishes a message with these properties; returns when the broker has confirmed it.
    ///
    /// # Panics
    /// When the broker does not take it.
    pub async fn publish_with(
        &self,
        routing_key: &str,
        body: impl AsRef<[u8]>,
        properties: BasicProperties,
    ) {
        let options = BasicPublishOptions::default();
        let confirm = self
            .publisher
            .basic_publish(
                EXCHANGE.into(),
                routing_key.into(),
                options,
                body.as_ref(),
                properties,
            )
            .await
            .expect("the channel is open");
        let confirmation = confirm.await.expect("the channel stays open");
        assert!(
            matches!(confirmation, Confirmation::Ack(_)),
            "RabbitMQ did not take a message"
        );
    }

    /// Listens to what is published from now on under keys that `pattern` selects.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn tap(&self, pattern: &str) -> Tap {
        let channel = self.channel().await;
        let options = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..Default::default()
        };
        let queue = channel
            .queue_declare("".into(), options, FieldTable::default())
            .await
            .expect("a queue with a name of the broker's is new");
        let name = queue.name().clone();
        channel
            .queue_bind(
                name.clone(),
                EXCHANGE.into(),
                pattern.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .expect("queue and exchange are there");
        let options = BasicConsumeOptions {
            no_ack: true,
            exclusive: true,
            ..Default::default()
        };
        let mut consumer = channel
            .basic_consume(name, "".into(), options, FieldTable::default())
            .await
            .expect("no other program uses the queue");
        let heard: Arc<Mutex<Vec<Message>>> = Arc::default();
        let hear = heard.clone();
        tokio::spawn(async move {
            let _open = channel;
            while let Some(Ok(delivery)) = consumer.next().await {
                lock(&hear).push(Message {
                    routing_key: delivery.routing_key.to_string(),
                    body: delivery.data,
                    properties: delivery.properties,
                });
            }
        });
        Tap {
            pattern: pattern.to_owned(),
            heard,
        }
    }

    /// How many messages are ready in a queue; `None` when there is no such queue.
    pub async fn depth(&self, queue: &str) -> Option<u32> {
        let channel = self.channel().await;
        let passive = QueueDeclareOptions {
            passive: true,
            ..Default::default()
        };
        let response = channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await;
        response.ok().map(|queue| queue.message_count())
    }

    /// What the management API says about something in this virtual host, such as `queues` or `bindings`.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn inspect(&self, what: &str) -> Value {
        let (kind, rest) = what
            .split_once('/')
            .map_or((what, String::new()), |(kind, rest)| {
                (kind, format!("/{rest}"))
            });
        let url = format!(
            "{}/api/{kind}/{}{rest}",
            servers::management_url(),
            self.name
        );
        let response = reqwest::get(url)
            .await
            .and_then(reqwest::Response::error_for_status);
        response
            .expect("the management API answers")
            .json()
            .await
            .expect("in JSON")
    }

    /// Lets the administrator publish under these routing keys only, a regular expression; each new channel reads it.
    ///
    /// # Panics
    /// When RabbitMQ refuses.
    pub async fn allow_keys(&self, pattern: &str) {
        let path = format!("topic-permissions/{}/{}", self.name, login());
        let permission = json!({"exchange": EXCHANGE, "write": pattern, "read": ".*"});
        manage(reqwest::Method::PUT, &path, &permission).await;
    }

    /// A channel of the test's own, for what this module has no word for.
    ///
    /// # Panics
    /// When the broker refuses.
    pub async fn channel(&self) -> Channel {
        self.connection
            .create_channel()
            .await
            .expect("the connection is open")
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let path = format!("vhosts/{}", self.name);
        servers::clean_up(async move { manage(reqwest::Method::DELETE, &path, &json!({})).await });
    }
}

/// A listener on the exchange.
pub struct Tap {
    pattern: String,
    heard: Arc<Mutex<Vec<Message>>>,
}

impl Tap {
    /// The messages that have arrived until now.
    pub fn heard(&self) -> Vec<Message> {
        lock(&self.heard).clone()
    }

    /// Waits for the first message that `wanted` accepts, past ones included.
    ///
    /// # Panics
    /// When none has come after 10 s.
    pub async fn hear(&self, wanted: impl Fn(&Message) -> bool) -> Message {
        let what = format!("the wanted message on {}", self.pattern);
        eventually(SOON, &what, async || self.heard().into_iter().find(&wanted)).await
    }
}

/// A message as it came over the wire.
#[derive(Clone, Debug)]
pub struct Message {
    /// The AMQP routing key.
    pub routing_key: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The AMQP properties.
    pub properties: BasicProperties,
}

impl Message {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

fn lock(heard: &Mutex<Vec<Message>>) -> MutexGuard<'_, Vec<Message>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

fn login() -> String {
    let url: reqwest::Url = servers::management_url()
        .parse()
        .expect("MEDTRACK_TEST_MANAGEMENT_URL is a URL");
    url.username().to_owned()
}

async fn manage(method: reqwest::Method, path: &str, body: &Value) {
    let url = format!("{}/api/{path}", servers::management_url());
    let sent = reqwest::Client::new()
        .request(method, url)
        .json(body)
        .send()
        .await;
    sent.and_then(reqwest::Response::error_for_status)
        .unwrap_or_else(|error| panic!("RabbitMQ: {error}; run the tests with ./medtrack test"));
}
