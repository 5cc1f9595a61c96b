//! The broker's section of a process's configuration.

use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// Where RabbitMQ is.
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

    /// Exchange of the Django services that are being replaced, such as `medtrack.events`: their messages are
    /// read too, and none is sent there. Unset: none is read.
    #[arg(long, env = "COMPAT_EXCHANGE", value_name = "NAME")]
    pub compat_exchange: Option<String>,
}

impl BrokerConfig {
    /// The address of RabbitMQ, password and all.
    ///
    /// # Errors
    /// When it is missing, or its file cannot be read.
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

/// The broker's address cannot be used. Never quotes it: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Neither the address nor a file with it was given.
    #[error("the address of RabbitMQ is missing; set AMQP_URL or AMQP_URL_FILE")]
    Missing,
    /// The file cannot be read.
    #[error("AMQP_URL_FILE: cannot read {path}; check the path and its permissions")]
    Unreadable {
        /// The file that was named.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not an AMQP address.
    #[error("AMQP_URL is not of the form amqp://user:password@host:5672/%2f")]
    Malformed,
}
