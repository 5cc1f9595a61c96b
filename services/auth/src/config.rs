//! The settings of each subcommand.

use clap::{Args, Subcommand};
use events::Role;
use messaging::{BrokerConfig, ConsumeConfig};
use service_kit::{
    Roles,
    config::{CommandConfig, EnvironmentConfig, NoArguments, OwnConfig, TokenConfig},
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
    /// Roles that people may register with. Administrators are made by `create-admin` only.
    #[arg(long, env = "REGISTRATION_ROLES", default_value = "student,encadrant", value_delimiter = ',',
          value_name = "ROLE,…", value_parser = registration_role)]
    pub registration_roles: Vec<Role>,
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

/// The sections of `serve` that only this service has.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub broker: BrokerConfig,
    #[command(flatten)]
    pub token: TokenConfig,
    #[command(flatten)]
    pub registration: RegistrationConfig,
}

impl OwnConfig for Serve {
    fn check(&self, environment: &EnvironmentConfig) -> anyhow::Result<()> {
        environment.check("AMQP_URL", &self.broker.address()?)
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
