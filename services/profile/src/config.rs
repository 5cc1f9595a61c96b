//! What an operator may set, by subcommand.

use clap::{Args, Parser, Subcommand};
use messaging::BrokerConfig;
use service_kit::config::{
    DatabaseConfig, EnvironmentConfig, HttpConfig, InternalConfig, JwksConfig, LogConfig,
    TokenConfig,
};

/// Student and encadrant profiles.
#[derive(Debug, Parser)]
#[command(name = "profile-service", version)]
pub struct Cli {
    /// What this process is to be.
    #[command(subcommand)]
    pub command: Command,
}

/// The roles of this binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer users over HTTP.
    Serve(Serve),
    /// Handle the events of the queue profile.events.
    #[command(alias = "consume_events")]
    ConsumeEvents(ConsumeEvents),
    /// Bring the database to this version's schema, and end.
    Migrate(Migrate),
    /// Show a student's profile.
    #[command(after_help = "Example:\n  profile-service student --email test.user@example.com")]
    Student(Student),
    /// Print the OpenAPI document of the routes.
    Openapi,
    /// Ask the process at INTERNAL_ADDR whether it is ready; the exit code tells.
    Healthcheck(InternalConfig),
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
    pub token: TokenConfig,
    #[command(flatten)]
    pub jwks: JwksConfig,
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

/// Configuration of `student`.
#[derive(Clone, Debug, Args)]
#[expect(missing_docs, reason = "each section documents itself")]
pub struct Student {
    /// The student's e-mail.
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
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
}
