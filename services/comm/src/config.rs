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
    /// Show what students were told last.
    #[command(after_help = "Example:\n  comm-service notifications --latest")]
    Notifications(Box<CommandConfig<Notifications>>),
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

/// Arguments of `notifications`.
#[derive(Clone, Debug, Args)]
pub struct Notifications {
    /// Only the newest; without it the newest twenty, the newest first.
    #[arg(long)]
    pub latest: bool,
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
