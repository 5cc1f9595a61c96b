//! The settings of each subcommand.

use clap::{Args, Subcommand};
use messaging::ConsumeConfig;
use service_kit::{
    Roles,
    config::{CommandConfig, OwnConfig, VerifierConfig},
};

/// The roles of this binary.
pub(crate) type Command = Roles<Serve, ConsumeConfig, OwnCommand>;

/// The sections of `serve` that only this service has.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub verifier: VerifierConfig,
    #[command(flatten)]
    pub notices: NoticeConfig,
}

impl OwnConfig for Serve {}

/// How long notifications are kept.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Notifications")]
pub(crate) struct NoticeConfig {
    /// How many days a notification is kept after it was read; one that was not read is kept twice as long.
    #[arg(long, env = "NOTICE_DAYS", default_value_t = 400, value_name = "DAYS",
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub notice_days: u16,
}

/// The commands that only this service has.
#[derive(Debug, Subcommand)]
pub(crate) enum OwnCommand {
    /// Show the latest notifications of students.
    #[command(after_help = "Example:\n  comm-service notifications --latest")]
    Notifications(Box<CommandConfig<Notifications>>),
}

/// Arguments of `notifications`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Notifications {
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
