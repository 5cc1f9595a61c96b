//! Sections of configuration. A flag beats the environment, the environment beats `.env`, `.env` beats the
//! default; `--help` documents every variable. A secret is given as a value or as the path of a file.

mod compat;
mod roles;

pub use compat::{CompatConfig, JwtCompat};
pub use roles::{
    CommandConfig, MigrateConfig, NoArguments, OwnConfig, ServeConfig, VerifierConfig,
};

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Where the service's own PostgreSQL database is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "PostgreSQL")]
pub struct DatabaseConfig {
    /// Address of the service's own database, as `postgres://user:password@host:5432/database`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<SecretString>,

    /// File that holds the address of the database, instead of DATABASE_URL.
    #[arg(
        long,
        env = "DATABASE_URL_FILE",
        value_name = "PATH",
        conflicts_with = "database_url"
    )]
    pub database_url_file: Option<PathBuf>,

    /// Connections that this process opens at most.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", default_value_t = 8, value_name = "N",
          value_parser = clap::value_parser!(u32).range(2..=100))]
    pub database_max_connections: u32,
}

/// The kind of environment.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Environment")]
pub struct EnvironmentConfig {
    /// `production` refuses the passwords that docker-compose.yml has for development.
    #[arg(
        long,
        env = "MEDTRACK_ENV",
        default_value = "development",
        value_name = "NAME"
    )]
    pub medtrack_env: Environment,
}

/// A kind of environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Environment {
    /// A developer's machine.
    Development,
    /// A system with the data of real people.
    Production,
}

/// The passwords of docker-compose.yml, and those that PostgreSQL and RabbitMQ are shipped with.
const KNOWN_PASSWORDS: [&str; 7] = [
    "auth", "profile", "comm", "operator", "postgres", "password", "guest",
];

impl EnvironmentConfig {
    /// Refuses a well-known password in production.
    ///
    /// # Errors
    /// In production, when `address` has such a password, or none. The message names `variable`, never the address.
    pub fn check(&self, variable: &str, address: &SecretString) -> anyhow::Result<()> {
        let url = reqwest::Url::parse(address.expose_secret()).ok();
        let password = url
            .as_ref()
            .and_then(|url| url.password())
            .unwrap_or_default();
        if self.medtrack_env == Environment::Production
            && (password.is_empty() || KNOWN_PASSWORDS.contains(&password))
        {
            bail!(
                "{variable} has a well-known password, and MEDTRACK_ENV is production; set another one"
            );
        }
        Ok(())
    }
}

/// The development servers of the usual front ends: React, Angular, Vite and Expo.
const DEVELOPMENT_ORIGINS: &str =
    "http://localhost:3000,http://localhost:4200,http://localhost:5173,http://localhost:8081";

/// How users reach the process.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpConfig {
    /// Address to listen on for the API.
    #[arg(
        long,
        env = "HTTP_ADDR",
        default_value = "127.0.0.1:8000",
        value_name = "IP:PORT"
    )]
    pub http_addr: SocketAddr,

    /// Pages that may call the API from a browser, by their origin; empty for none.
    #[arg(
        long,
        env = "CORS_ORIGINS",
        default_value = DEVELOPMENT_ORIGINS,
        value_delimiter = ',',
        value_name = "ORIGIN,…",
        value_parser = origin
    )]
    pub cors_origins: Vec<String>,
}

/// Refuses a text that is not an origin: it would silently match no page, and `*` would allow every page.
fn origin(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let named = |host: &str| {
        !host.is_empty()
            && host
                .chars()
                .all(|c| c.is_ascii_graphic() && !"/*".contains(c))
    };
    if text.is_empty() || host.is_some_and(named) {
        Ok(text.to_owned())
    } else {
        Err("write an origin like https://app.example.com, without a path")
    }
}

/// How operators reach the process.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Operation")]
pub struct InternalConfig {
    /// Address to listen on for /health, /health/ready and /metrics; keep it inside.
    #[arg(
        long,
        env = "INTERNAL_ADDR",
        default_value = "127.0.0.1:9000",
        value_name = "IP:PORT"
    )]
    pub internal_addr: SocketAddr,
}

/// What the process writes on standard output.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogConfig {
    /// Lines for people, or JSON for machines.
    #[arg(
        long,
        env = "LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// What is logged, such as `info` or `debug,sqlx=warn`.
    #[arg(long, env = "LOG_LEVEL", default_value = "info", value_name = "FILTER")]
    pub log_level: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `<time> <LEVEL> <text> <fields>`.
    Text,
    /// One JSON object for each line.
    Json,
}

/// Which access tokens are accepted.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct TokenConfig {
    /// Who issues access tokens (claim `iss`).
    #[arg(
        long,
        env = "TOKEN_ISSUER",
        default_value = "auth-service",
        value_name = "TEXT"
    )]
    pub token_issuer: String,

    /// Whom access tokens are for (claim `aud`).
    #[arg(
        long,
        env = "TOKEN_AUDIENCE",
        default_value = "medtrack",
        value_name = "TEXT"
    )]
    pub token_audience: String,

    #[command(flatten)]
    #[expect(missing_docs, reason = "the section documents itself")]
    pub compat: CompatConfig,
}

/// Where the keys are that access tokens are checked with.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Tokens")]
pub struct JwksConfig {
    /// Address of auth-service's public keys.
    #[arg(
        long,
        env = "JWKS_URL",
        default_value = "http://127.0.0.1:8000/auth/.well-known/jwks.json",
        value_name = "URL"
    )]
    pub jwks_url: String,

    /// File with auth-service's public keys, instead of JWKS_URL.
    #[arg(long, env = "JWKS_FILE", value_name = "PATH")]
    pub jwks_file: Option<PathBuf>,
}

/// A secret that is given as a value, or as the path of a file that holds it.
///
/// # Errors
/// When neither is given, or the file cannot be read. The message names `variable`, never the secret.
pub fn secret(
    variable: &str,
    value: Option<&SecretString>,
    file: Option<&Path>,
) -> anyhow::Result<SecretString> {
    match (value, file) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).with_context(|| {
                format!(
                    "{variable}_FILE: cannot read {}; check the path and its permissions",
                    path.display()
                )
            })?;
            Ok(text.trim().to_owned().into())
        }
        (None, None) => {
            bail!("{variable} is missing; set {variable} or {variable}_FILE (see --help)")
        }
    }
}

impl DatabaseConfig {
    /// The address of the database, including the password.
    ///
    /// # Errors
    /// When it is missing, or its file cannot be read.
    pub fn address(&self) -> anyhow::Result<SecretString> {
        secret(
            "DATABASE_URL",
            self.database_url.as_ref(),
            self.database_url_file.as_deref(),
        )
    }

    pub(crate) fn options(&self) -> anyhow::Result<sqlx::postgres::PgConnectOptions> {
        let url = self.address()?;
        // The error of the parser may quote the address, which has a password.
        url.expose_secret()
            .parse()
            .ok()
            .context("DATABASE_URL is not of the form postgres://user:password@host:5432/database")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_nothing_else() {
        for good in [
            "",
            "http://localhost:3000",
            "https://app.example.com",
            "http://[::1]:3000",
        ] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "*",
            "https://*",
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://a b",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn production_refuses_well_known_passwords() {
        let check = |medtrack_env, address: &str| {
            EnvironmentConfig { medtrack_env }.check("X_URL", &address.to_owned().into())
        };
        for password in [
            "postgres://a:auth@h/d",
            "amqp://admin:password@h:5672/%2f",
            "postgres://a@h/d",
            "nonsense",
        ] {
            let refused = check(Environment::Production, password)
                .unwrap_err()
                .to_string();
            assert!(
                refused.starts_with("X_URL has a well-known password")
                    && !refused.contains(password),
                "{refused}"
            );
            assert!(check(Environment::Development, password).is_ok());
        }
        assert!(check(Environment::Production, "postgres://a:0b1e5c@h/d").is_ok());
    }

    #[test]
    fn a_secret_comes_from_a_value_or_a_file_and_is_never_shown() {
        let value: SecretString = "hunter22".to_owned().into();
        assert_eq!(
            secret("X", Some(&value), None).unwrap().expose_secret(),
            "hunter22"
        );
        let file = std::env::temp_dir().join(format!("secret-{}", uuid::Uuid::now_v7()));
        std::fs::write(&file, "from a file\n").unwrap();
        assert_eq!(
            secret("X", None, Some(&file)).unwrap().expose_secret(),
            "from a file"
        );
        std::fs::remove_file(&file).unwrap();
        let unreadable = secret("X", None, Some(&file)).unwrap_err().to_string();
        assert!(
            unreadable.starts_with("X_FILE: cannot read"),
            "{unreadable}"
        );
        assert!(
            secret("X", None, None)
                .unwrap_err()
                .to_string()
                .contains("set X or X_FILE")
        );
        let config = DatabaseConfig {
            database_url: Some("nonsense hunter22".to_owned().into()),
            database_url_file: None,
            database_max_connections: 8,
        };
        let shown = format!("{config:?} {:?}", config.options().unwrap_err());
        assert!(!shown.contains("hunter22"), "{shown}");
    }
}
