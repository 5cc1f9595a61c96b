//! The settings of each subcommand.

use clap::{Args, Subcommand};
use messaging::BrokerConfig;
use service_kit::{
    Roles,
    config::{
        CommandConfig, DatabaseConfig, EnvironmentConfig, InternalConfig, LogConfig, VerifierConfig,
    },
};

/// The roles of this binary.
pub type Command = Roles<VerifierConfig, ConsumeEvents, OwnCommand>;

/// The commands that only this service has.
#[derive(Debug, Subcommand)]
pub enum OwnCommand {
    /// Show a student's profile.
    #[command(after_help = "Example:\n  profile-service student --email test.user@example.com")]
    Student(Box<CommandConfig<Student>>),
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

/// Arguments of `student`.
#[derive(Clone, Debug, Args)]
pub struct Student {
    /// The student's e-mail.
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SERVICE;

    #[test]
    fn the_command_line_is_sound() {
        SERVICE.command::<Command>().debug_assert();
    }
}
