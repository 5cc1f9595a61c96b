//! A private RabbitMQ on loopback, with its management UI.

use crate::{
    command_spec::CommandSpec,
    units::{self, Ready},
    workspace::create_private,
};
use anyhow::bail;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The documented login of development.
pub(crate) const LOGIN: (&str, &str) = ("admin", "password");

/// The ports of one RabbitMQ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RabbitPorts {
    pub(crate) amqp: u16,
    pub(crate) management: u16,
    pub(crate) prometheus: u16,
    pub(crate) distribution: u16,
    pub(crate) epmd: u16,
}

/// One private RabbitMQ.
pub(crate) struct RabbitMq {
    script: PathBuf,
    dir: PathBuf,
    ports: RabbitPorts,
}

impl RabbitMq {
    /// Writes the configuration of a broker with this start script; the data live in `dir` too.
    pub(crate) fn prepare(script: &Path, dir: &Path, ports: RabbitPorts) -> anyhow::Result<Self> {
        let dir = dir.join("rabbitmq");
        create_private(&dir.join("home"))?;
        let (user, password) = LOGIN;
        let RabbitPorts {
            amqp,
            management,
            prometheus,
            ..
        } = ports;
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{amqp}\n\
             management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {management}\n\
             prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {prometheus}\n\
             default_user = {user}\ndefault_pass = {password}\n\
             log.console = true\nlog.file = false\n"
        );
        fs::write(dir.join("rabbitmq.conf"), settings)?;
        // Without this file, RabbitMQ reads Debian's, which has the settings of the system's broker.
        fs::write(dir.join("rabbitmq-env.conf"), "")?;
        fs::write(
            dir.join("enabled_plugins"),
            "[rabbitmq_management,rabbitmq_prometheus].\n",
        )?;
        Ok(Self {
            script: script.to_owned(),
            dir,
            ports,
        })
    }

    /// Erlang's name server. The launcher starts it, because one that Erlang starts would outlive the stack.
    pub(crate) fn epmd(&self) -> CommandSpec {
        CommandSpec::new("epmd")
            .args([
                "-port",
                &self.ports.epmd.to_string(),
                "-address",
                "127.0.0.1",
            ])
            .clean()
    }

    /// Waits until epmd listens: a broker does not start without it.
    pub(crate) async fn wait_for_epmd(&self) -> anyhow::Result<()> {
        for _ in 0..500 {
            if units::is_ready(Ready::Listening(self.ports.epmd)).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("epmd does not listen on port {}", self.ports.epmd)
    }

    /// The broker, to be run in the foreground. Its environment is clean, because in debug mode it logs all of it.
    pub(crate) fn server(&self) -> CommandSpec {
        let path = |name: &str| self.dir.join(name).into_os_string();
        CommandSpec::new(&self.script)
            .clean()
            .dir(&self.dir)
            .env("HOME", path("home"))
            .env("RABBITMQ_CONF_ENV_FILE", path("rabbitmq-env.conf"))
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", path("none.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", path("mnesia"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", path("generated"))
            .env("RABBITMQ_SCHEMA_DIR", path("schema"))
            .env("RABBITMQ_PID_FILE", path("pid"))
            .env("RABBITMQ_LOGS", "-")
            // With this variable, as under systemd, the script replaces itself by the broker: the child is the broker.
            .env("NOTIFY_SOCKET", path("notify.sock"))
            // The data belong to the node name, so it must not change with the port.
            .env("RABBITMQ_NODENAME", "medtrack@localhost")
            .env("RABBITMQ_DIST_PORT", self.ports.distribution.to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("ERL_EPMD_PORT", self.ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // Without it, any Erlang program that finds no epmd starts one, which stays.
            .env("ERL_AFLAGS", "-start_epmd false")
    }

    pub(crate) fn amqp_url(&self) -> String {
        let (user, password) = LOGIN;
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    pub(crate) fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.management)
    }

    /// Whether the management API responds; AMQP then does too.
    pub(crate) async fn is_ready(&self) -> bool {
        let (user, password) = LOGIN;
        let url = format!("{}/api/overview", self.management_url());
        let response = reqwest::Client::new()
            .get(url)
            .basic_auth(user, Some(password))
            .timeout(Duration::from_secs(2))
            .send();
        response
            .await
            .is_ok_and(|response| response.status().is_success())
    }

    /// Waits until the management API responds.
    pub(crate) async fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..600 {
            if self.is_ready().await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!(
            "RabbitMQ does not respond on port {} after a minute",
            self.ports.management
        )
    }
}
