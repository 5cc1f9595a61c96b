//! What `medtrack secrets` makes for the broker of a production stack.

use events::topology::{EXCHANGE, SERVICES};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueBindOptions},
    types::FieldTable,
};
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use std::{collections::HashMap, fs};
use test_support::{Vhost, servers};
use tokio::{
    process::Command,
    sync::{Mutex, MutexGuard},
};
use uuid::Uuid;

/// Logins are the broker's, not the virtual host's: one test at a time may set their passwords.
static TURN: Mutex<()> = Mutex::const_new(());

/// A service of another system.
pub(crate) const PUBLISHER: &str = "core-service";

/// The broker of a production stack: its definitions, loaded into a virtual host of the test.
pub(crate) struct Production {
    /// Service → address with its own login.
    pub(crate) logins: HashMap<String, String>,
    /// The permissions of all logins, as the definitions hold them.
    pub(crate) permissions: Value,
    dir: std::path::PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Production {
    pub(crate) async fn load(vhost: &Vhost) -> Self {
        let turn = TURN.lock().await;
        let dir = std::env::temp_dir().join(format!("medtrack-secrets-{}", Uuid::new_v4()));
        let made = Command::new(servers::binary("medtrack"))
            .arg("secrets")
            .arg(&dir)
            .args(["--publisher", PUBLISHER])
            .output()
            .await;
        assert!(made.expect("medtrack runs").status.success());
        let read = |name: &str| fs::read_to_string(dir.join(name)).expect("the secret was made");
        let definitions: Value =
            serde_json::from_str(&read("rabbitmq_definitions.json")).expect("JSON");
        let url: Url = vhost.amqp_url.parse().expect("an address");
        let name = url.path().trim_start_matches('/').to_owned();
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
        let names = SERVICES.map(|service| service.short);
        let logins = names.into_iter().chain([PUBLISHER]).map(|service| {
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
            logins: logins.collect(),
            permissions: definitions["permissions"].clone(),
            dir,
            _turn: turn,
        }
    }

    pub(crate) async fn channel(&self, service: &str) -> (Connection, Channel) {
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
    pub(crate) async fn may_publish(&self, service: &str, key: &str) -> bool {
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

    pub(crate) async fn may_bind(&self, service: &str, queue: &str, pattern: &str) -> bool {
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

    pub(crate) async fn may_read(&self, service: &str, queue: &str) -> bool {
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
