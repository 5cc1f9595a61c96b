//! The settings of each subcommand.

use crate::domain::password::{self, LEAST_MIN_LENGTH};
use anyhow::bail;
use clap::{Args, Subcommand};
use events::Role;
use mail::MailConfig;
use messaging::{BrokerConfig, ConsumeConfig};
use service_kit::{
    Roles,
    config::{CommandConfig, Environment, EnvironmentConfig, NoArguments, OwnConfig, TokenConfig},
};
use std::path::PathBuf;

/// The roles of this binary.
pub(crate) type Command = Roles<Serve, ConsumeConfig, OwnCommand>;

/// The commands that only this service has.
#[derive(Debug, Subcommand)]
pub(crate) enum OwnCommand {
    /// Register an administrator; the password is read from standard input.
    #[command(
        after_help = "Example:\n  auth-service create-admin --email admin@example.com < password.txt"
    )]
    CreateAdmin(Box<CommandConfig<CreateAdmin>>),
    /// Manage the keys that access tokens are signed with.
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// What can be done with the signing keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Add a key and retire the others; every user stays logged in.
    Rotate(Box<CommandConfig<NoArguments>>),
    /// List the keys, the newest first: which one signs, and until when the others are published.
    #[command(after_help = "Example:\n  auth-service keys list --json")]
    List(Box<CommandConfig<KeysList>>),
}

/// Who may register.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Registration")]
pub(crate) struct RegistrationConfig {
    /// Roles that people may register with. Administrators are made by `create-admin` only. In production the default is
    /// `student`: whoever registers as an encadrant reads about all students.
    #[arg(long, env = "REGISTRATION_ROLES", default_value = "student,encadrant", value_delimiter = ',',
          default_value_if("medtrack_env", "production", "student"),
          value_name = "ROLE,…", value_parser = registration_role)]
    pub registration_roles: Vec<Role>,
}

/// Which passwords may be chosen.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Passwords")]
pub(crate) struct PasswordConfig {
    /// The fewest characters of a new password: 12 to 64.
    #[arg(long, env = "PASSWORD_MIN_LENGTH", default_value_t = LEAST_MIN_LENGTH, value_name = "N",
          value_parser = min_length)]
    pub password_min_length: usize,
}

impl PasswordConfig {
    /// Lets new passwords be checked so in this process.
    pub(crate) fn apply(&self) {
        password::set_min_length(self.password_min_length);
    }
}

fn min_length(text: &str) -> Result<usize, String> {
    let allowed = LEAST_MIN_LENGTH..=64;
    match text.parse() {
        Ok(characters) if allowed.contains(&characters) => Ok(characters),
        _ => Err(format!("write a number from {LEAST_MIN_LENGTH} to 64")),
    }
}

fn registration_role(text: &str) -> Result<Role, String> {
    match text.parse() {
        Ok(Role::Admin) => {
            Err("admin cannot be self-registered; try: auth-service create-admin".into())
        }
        Ok(role) => Ok(role),
        Err(error) => Err(format!("{error}")),
    }
}

/// Where users find the pages.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pages")]
pub(crate) struct PagesConfig {
    /// Address of the gateway as users type it; the links in mails begin with it.
    #[arg(long, env = "PUBLIC_URL", default_value = "http://localhost", value_name = "URL", value_parser = public_url)]
    pub public_url: String,
}

/// Refuses what is not `https://host`: a path would stand in each link.
fn public_url(text: &str) -> Result<String, &'static str> {
    let text = text.trim_end_matches('/');
    let host = { text.strip_prefix("https://") }.or_else(|| text.strip_prefix("http://"));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match host {
        Some(host) if !host.is_empty() && host.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err("write an address like https://medtrack.example.org, without a path"),
    }
}

impl PagesConfig {
    fn check(&self, environment: &EnvironmentConfig) -> anyhow::Result<()> {
        let is_production = environment.medtrack_env == Environment::Production;
        if is_production && !self.public_url.starts_with("https://") {
            bail!("PUBLIC_URL is not https, and MEDTRACK_ENV is production; set https://DOMAIN");
        }
        Ok(())
    }
}

/// The sections of `serve` that only this service has.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub broker: BrokerConfig,
    #[command(flatten)]
    pub token: TokenConfig,
    #[command(flatten)]
    pub registration: RegistrationConfig,
    #[command(flatten)]
    pub pages: PagesConfig,
    #[command(flatten)]
    pub mail: MailConfig,
    #[command(flatten)]
    pub password: PasswordConfig,
}

impl OwnConfig for Serve {
    fn check(&self, environment: &EnvironmentConfig) -> anyhow::Result<()> {
        environment.check("AMQP_URL", &self.broker.address()?)?;
        self.pages.check(environment)?;
        self.mail.check(environment)
    }
}

/// Arguments of `keys list`.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeysList {
    /// Write JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `create-admin`.
#[derive(Clone, Debug, Args)]
pub(crate) struct CreateAdmin {
    /// The administrator's e-mail.
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
    /// File that holds the password, instead of standard input.
    #[arg(long, value_name = "PATH")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub password: PasswordConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SERVICE;

    #[test]
    fn the_command_line_is_sound() {
        SERVICE.command::<Command>().debug_assert();
    }

    #[test]
    fn the_public_address_has_no_path_and_is_encrypted_in_production() {
        assert_eq!(
            public_url("https://a.example/").unwrap(),
            "https://a.example"
        );
        for bad in [
            "a.example",
            "https://",
            "https://a.example/x",
            "ftp://a",
            "https://a.example/#",
        ] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
        let check = |medtrack_env, url: &str| {
            let public_url = public_url(url).unwrap();
            PagesConfig { public_url }.check(&EnvironmentConfig { medtrack_env })
        };
        assert!(check(Environment::Production, "http://a.example").is_err());
        assert!(check(Environment::Production, "https://a.example").is_ok());
        assert!(check(Environment::Development, "http://localhost:8080").is_ok());
    }

    #[test]
    fn admin_is_refused_whatever_the_setting() {
        let error = SERVICE
            .command::<Command>()
            .try_get_matches_from([
                "auth-service",
                "serve",
                "--registration-roles",
                "student,admin",
            ])
            .unwrap_err();
        assert!(error.to_string().contains("create-admin"), "{error}");
    }
}
