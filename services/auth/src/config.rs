//! What an operator may set, by subcommand.

use clap::{Args, Parser, Subcommand};
use events::Role;
use messaging::BrokerConfig;
use service_kit::config::{
    DatabaseConfig, EnvironmentConfig, HttpConfig, InternalConfig, LogConfig, TokenConfig,
};
use std::path::PathBuf;

/// Accounts, log-ins, tokens.
#[derive(Debug, Parser)]
#[command(name = "auth-service", version)]
pub struct Cli {
    /// What this process is to be.
    #[command(subcommand)]
    pub command: Command,
}

/// The roles of this binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer users over HTTP.
    Serve(Box<Serve>),
    /// Handle the events of the queue auth.events.
    #[command(alias = "consume_events")]
    ConsumeEvents(ConsumeEvents),
    /// Bring the database to this version's schema, and end.
    Migrate(Migrate),
    /// Print the OpenAPI document of the routes.
    Openapi,
    /// Ask the process at INTERNAL_ADDR whether it is ready; the exit code tells.
    Healthcheck(InternalConfig),
    /// Make an administrator's account; the password is read from standard input.
    #[command(
        after_help = "Example:\n  auth-service create-admin --email admin@example.com < password.txt"
    )]
    CreateAdmin(CreateAdmin),
    /// Look after the keys that access tokens are signed with.
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// What can be done with the signing keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Add a key and retire the others; nobody is logged out.
    Rotate(RotateKeys),
}

/// Who may have an account.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Registration")]
pub struct RegistrationConfig {
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

/// Configuration of `serve`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct Serve {
    #[command(flatten)]
    pub environment: EnvironmentConfig,
    #[command(flatten)]
    pub http: HttpConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub broker: BrokerConfig,
    #[command(flatten)]
    pub token: TokenConfig,
    #[command(flatten)]
    pub registration: RegistrationConfig,
    #[command(flatten)]
    pub internal: InternalConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// Configuration of `consume-events`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct ConsumeEvents {
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

/// Configuration of `migrate`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct Migrate {
    #[command(flatten)]
    pub environment: EnvironmentConfig,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// Configuration of `create-admin`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct CreateAdmin {
    /// The administrator's e-mail.
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
    /// File that holds the password, instead of standard input.
    #[arg(long, value_name = "PATH")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

/// Configuration of `keys rotate`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct RotateKeys {
    #[command(flatten)]
    pub database: DatabaseConfig,
    #[command(flatten)]
    pub log: LogConfig,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn admin_is_refused_whatever_the_setting() {
        let error = Cli::try_parse_from([
            "auth-service",
            "serve",
            "--registration-roles",
            "student,admin",
        ])
        .unwrap_err();
        assert!(error.to_string().contains("create-admin"), "{error}");
    }
}
