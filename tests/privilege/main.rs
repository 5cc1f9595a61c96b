//! With the logins of a production stack a service can do its own work and no more, and an operator can do what the
//! operator's command does and no more.

mod bindings;
mod databases;

use events::{
    Event as _,
    profile::StudentCreated,
    topology::{EXCHANGE, SERVICES, queues},
};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind,
    options::{
        BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use std::{collections::HashMap, fs};
use test_support::{Vhost, servers};
use tokio::process::Command;
use uuid::Uuid;

/// The broker of a production stack: its definitions, loaded into a virtual host of the test.
struct Production {
    vhost: Vhost,
    /// Service → address with its own login.
    logins: HashMap<String, String>,
    dir: std::path::PathBuf,
}

impl Production {
    async fn new() -> Self {
        let vhost = Vhost::new().await;
        let dir = std::env::temp_dir().join(format!("medtrack-secrets-{}", Uuid::new_v4()));
        let made = Command::new(servers::binary("medtrack"))
            .arg("secrets")
            .arg(&dir)
            .output()
            .await;
        assert!(made.expect("medtrack runs").status.success());
        let read = |name: &str| fs::read_to_string(dir.join(name)).expect("the secret was made");
        let definitions: Value =
            serde_json::from_str(&read("rabbitmq_definitions.json")).expect("JSON");
        let url: Url = vhost.amqp_url.parse().expect("an address");
        let name = url.path().trim_start_matches('/').to_owned();
        // Logins are the broker's, not the virtual host's; a run has one broker.
        for user in list(&definitions, "users") {
            manage(Method::PUT, &format!("users/{}", text(user, "name")), user).await;
        }
        for kind in ["permissions", "topic_permissions"] {
            for permission in list(&definitions, kind) {
                let path = format!(
                    "{}/{name}/{}",
                    kind.replace('_', "-"),
                    text(permission, "user")
                );
                manage(Method::PUT, &path, permission).await;
            }
        }
        let topology = json!({"exchanges": definitions["exchanges"], "queues": definitions["queues"],
                              "bindings": definitions["bindings"]});
        manage(Method::POST, &format!("definitions/{name}"), &topology).await;
        let logins = SERVICES.map(|service| {
            let service = service.short;
            let theirs: Url = read(&format!("{service}_amqp_url"))
                .parse()
                .expect("an address");
            let mut here = url.clone();
            here.set_username(theirs.username())
                .and_then(|()| here.set_password(theirs.password()))
                .expect("a login fits");
            (service.to_owned(), here.to_string())
        });
        Self {
            vhost,
            logins: logins.into(),
            dir,
        }
    }

    async fn channel(&self, service: &str) -> (Connection, Channel) {
        let connection =
            Connection::connect(&self.logins[service], ConnectionProperties::default()).await;
        let connection = connection.expect("the login is known");
        let channel = connection.create_channel().await.expect("a channel");
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await
            .expect("confirms");
        (connection, channel)
    }

    /// Whether the broker takes an event from a service.
    async fn may_publish(&self, service: &str, key: &str) -> bool {
        let (_connection, channel) = self.channel(service).await;
        let sent = channel
            .basic_publish(
                EXCHANGE.into(),
                key.into(),
                BasicPublishOptions::default(),
                b"{}",
                BasicProperties::default(),
            )
            .await;
        match sent {
            Ok(confirm) => confirm.await.is_ok(),
            Err(_) => false,
        }
    }

    async fn may_bind(&self, service: &str, queue: &str, pattern: &str) -> bool {
        let (_connection, channel) = self.channel(service).await;
        let bind = channel.queue_bind(
            queue.into(),
            EXCHANGE.into(),
            pattern.into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bind.await.is_ok()
    }

    async fn may_read(&self, service: &str, queue: &str) -> bool {
        let (_connection, channel) = self.channel(service).await;
        channel
            .basic_get(queue.into(), BasicGetOptions { no_ack: true })
            .await
            .is_ok()
    }
}

impl Drop for Production {
    fn drop(&mut self) {
        // It is ours; a left-over goes with the machine's temporary files.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

async fn manage(method: Method, path: &str, body: &Value) {
    let url = format!("{}/api/{path}", servers::management_url());
    let sent = Client::new().request(method, url).json(body).send().await;
    let refused = sent.and_then(reqwest::Response::error_for_status).err();
    assert!(refused.is_none(), "{path}: {refused:?}");
}

#[tokio::test]
async fn nobody_publishes_anothers_events_reads_anothers_queue_or_changes_the_topology() {
    let production = Production::new().await;
    for (service, key, may) in [
        ("auth", "auth.user.created", true),
        ("auth", "auth.user.deleted", true),
        ("auth", "student.created", false),
        ("profile", "student.created", true),
        ("profile", "encadrant.deleted", true),
        ("profile", "auth.user.created", false),
        ("profile", "stage.created", false),
        ("comm", "student.created", false),
        ("comm", "grade.assigned", false),
    ] {
        assert_eq!(
            production.may_publish(service, key).await,
            may,
            "{service}: {key}"
        );
    }
    for service in SERVICES.map(|service| service.short) {
        for queue in queues() {
            let own = queue.name.starts_with(service);
            assert_eq!(
                production.may_read(service, queue.name).await,
                own,
                "{service}: {}",
                queue.name
            );
            assert_eq!(
                production.may_read(service, queue.crashed).await,
                own,
                "{service}: {}",
                queue.crashed
            );
        }
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        let (_connection, channel) = production.channel(service).await;
        let exchange = channel.exchange_declare(
            EXCHANGE.into(),
            ExchangeKind::Topic,
            durable,
            FieldTable::default(),
        );
        assert!(exchange.await.is_err(), "{service} declares no exchange");
        let (_connection, channel) = production.channel(service).await;
        let queue = channel.queue_declare(
            "spy".into(),
            QueueDeclareOptions::default(),
            FieldTable::default(),
        );
        assert!(queue.await.is_err(), "{service} declares no queue");
        for queue in queues() {
            let own = queue.name.starts_with(service);
            for (pattern, may) in queue
                .patterns
                .iter()
                .map(|own| (*own, true))
                .chain([("#", false)])
            {
                assert_eq!(
                    production.may_bind(service, queue.name, pattern).await,
                    own && may,
                    "{service}: {} with {pattern}",
                    queue.name
                );
            }
        }
    }
    let (_connection, channel) = production.channel("profile").await;
    let forged = BasicProperties::default().with_user_id("auth-service".into());
    let sent = channel
        .basic_publish(
            EXCHANGE.into(),
            StudentCreated::KEY.into(),
            BasicPublishOptions::default(),
            b"{}",
            forged,
        )
        .await;
    let taken = match sent {
        Ok(confirm) => confirm.await.is_ok(),
        Err(_) => false,
    };
    assert!(!taken, "nobody speaks in another's name");
    // The definitions declare just what the processes would.
    assert!(production.vhost.depth("comm.events").await.is_some());
}
