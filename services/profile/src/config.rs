//! The settings of each subcommand.

use clap::{Args, Subcommand};
use messaging::{BrokerConfig, ConsumeConfig};
use service_kit::{
    Roles,
    config::{CommandConfig, EnvironmentConfig, OwnConfig, VerifierConfig},
};

/// The roles of this binary.
pub(crate) type Command = Roles<Serve, ConsumeConfig, OwnCommand>;

/// The sections of `serve` that only this service has.
#[derive(Clone, Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub broker: BrokerConfig,
    #[command(flatten)]
    pub verifier: VerifierConfig,
    #[command(flatten)]
    pub auth: AuthConfig,
}

/// Where auth-service is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "auth-service")]
pub(crate) struct AuthConfig {
    /// Address of auth-service, which keeps names, phones and log-ins.
    #[arg(
        long,
        env = "AUTH_URL",
        default_value = "http://127.0.0.1:8000",
        value_name = "URL"
    )]
    pub auth_url: String,
}

impl OwnConfig for Serve {
    fn check(&self, environment: &EnvironmentConfig) -> anyhow::Result<()> {
        environment.check("AMQP_URL", &self.broker.address()?)
    }
}

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
