//! The settings of each subcommand.

use clap::{Args, Subcommand};
use messaging::ConsumeConfig;
use service_kit::{
    Roles,
    config::{CommandConfig, VerifierConfig},
};

/// The roles of this binary.
pub(crate) type Command = Roles<VerifierConfig, ConsumeConfig, OwnCommand>;

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
