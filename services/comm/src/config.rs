//! The settings of each subcommand.

use crate::http::Links;
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

/// How long notifications are kept, and where they link to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Notifications")]
pub(crate) struct NoticeConfig {
    /// How many days a notification is kept after it was read; one that was not read is kept twice as long.
    #[arg(long, env = "NOTICE_DAYS", default_value_t = 400, value_name = "DAYS",
          value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub notice_days: u16,

    /// The pages that notifications link to, by the type of the object that they are about, such as
    /// `stage=https://front.example/stages/{id}`.
    #[arg(long, env = "NOTICE_LINKS", default_value = "", value_name = "TYPE=URL,…", value_parser = Links::parse)]
    pub notice_links: Links,
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
