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
    /// Show a student's profile.
    #[command(after_help = "Example:\n  profile-service student --email test.user@example.com")]
    Student(Box<CommandConfig<Student>>),
}

/// Arguments of `student`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Student {
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
