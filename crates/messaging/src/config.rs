//! The configuration of a process that publishes or consumes.

use secrecy::{ExposeSecret, SecretString};
use service_kit::config::{DatabaseConfig, EnvironmentConfig, InternalConfig, LogConfig};
use std::path::PathBuf;

/// The address of RabbitMQ.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct BrokerConfig {
    /// Address of RabbitMQ with login and virtual host, as `amqp://user:password@host:5672/%2f`.
    #[arg(long, env = "AMQP_URL", hide_env_values = true, value_name = "URL")]
    pub amqp_url: Option<SecretString>,

    /// File that holds the address of RabbitMQ, instead of AMQP_URL.
    #[arg(
        long,
        env = "AMQP_URL_FILE",
        value_name = "PATH",
        conflicts_with = "amqp_url"
    )]
    pub amqp_url_file: Option<PathBuf>,

    /// Exchange of the Django services that this system replaces, such as `medtrack.events`. Their messages are
    /// read too; nothing is sent there. When unset, no such message is read, and bindings to `medtrack.events` are
    /// taken away.
    #[arg(long, env = "COMPAT_EXCHANGE", value_name = "NAME")]
    pub compat_exchange: Option<String>,
}

/// The configuration of `consume-events`.
#[derive(Clone, Debug, clap::Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct ConsumeConfig {
    #[command(flatten)]
    pub environment: EnvironmentConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub broker: BrokerConfig,
    #[command(flatten)]
    pub internal: InternalConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

impl AsRef<LogConfig> for ConsumeConfig {
    fn as_ref(&self) -> &LogConfig {
        &self.log
    }
}

impl BrokerConfig {
    /// The address of RabbitMQ, including the password.
    ///
    /// # Errors
    /// Fails when it is missing, or when its file cannot be read.
    pub fn address(&self) -> Result<SecretString, ConfigError> {
        match (&self.amqp_url, &self.amqp_url_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(path)) => match std::fs::read_to_string(path) {
                Ok(text) => Ok(text.trim().to_owned().into()),
                Err(source) => Err(ConfigError::Unreadable {
                    path: path.clone(),
                    source,
                }),
            },
            (None, None) => Err(ConfigError::Missing),
        }
    }

    pub(crate) fn uri(&self) -> Result<lapin::uri::AMQPUri, ConfigError> {
        self.address()?
            .expose_secret()
            .trim()
            .parse()
            .map_err(|_| ConfigError::Malformed)
    }
}

/// Why the broker's address cannot be used. The message never quotes the address, which holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the address nor its file was given.
    #[error("the address of RabbitMQ is missing; set AMQP_URL or AMQP_URL_FILE")]
    Missing,
    /// The file cannot be read.
    #[error("AMQP_URL_FILE: cannot read {path}; check the path and its permissions")]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// It is not an AMQP address.
    #[error("AMQP_URL is not of the form amqp://user:password@host:5672/%2f")]
    Malformed,
}
