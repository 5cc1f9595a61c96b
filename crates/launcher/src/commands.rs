//! The launcher's verbs.

use crate::{
    control, end, ephemeral, help, logs, prepare, tests_and_bench, up, workspace::Workspace,
};
use clap::{Args, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Runs and supervises MedTrack's notification event system on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "medtrack",
    bin_name = "medtrack",
    version,
    max_term_width = help::WIDTH
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start PostgreSQL, RabbitMQ, the services and the gateway.
    Up(Up),
    /// Stop everything, or only some units; the data stay.
    #[command(visible_alias = "down")]
    Stop {
        /// The units, as `ps` names them. A consumer's name means all its processes.
        units: Vec<String>,
    },
    /// Start everything in the background, or only units that are stopped.
    Start {
        /// The units, as `ps` names them.
        units: Vec<String>,
    },
    /// Restart units, or start stopped ones.
    Restart {
        /// The units, as `ps` names them. A consumer's name means all its processes.
        #[arg(required = true)]
        units: Vec<String>,
    },
    /// List the units: process, state, since when, restarts.
    #[command(visible_alias = "status")]
    Ps {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the logs of all units, or of some, in the order of time.
    #[command(
        after_help = "Examples:\n  medtrack logs -f comm-consumer\n  medtrack logs --since 10m --level warn"
    )]
    Logs(logs::Logs),
    /// Create an administrator. The password is read from standard input.
    #[command(
        after_help = "Example:\n  medtrack create-admin --email admin@example.com < password.txt"
    )]
    CreateAdmin {
        /// The e-mail to log in with.
        #[arg(long)]
        email: String,
    },
    /// Stop everything and remove all data.
    Reset {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Run all tests against a PostgreSQL and a RabbitMQ of their own.
    Test {
        /// Use the RabbitMQ that was unpacked into this directory, with its `sbin`; without further arguments, run the
        /// tests of messaging.
        #[arg(long, value_name = "DIR")]
        broker: Option<PathBuf>,
        /// Passed to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure the event chain and the limits of this machine; the machine must be idle.
    Bench {
        /// Print JSON, for programs.
        #[arg(long)]
        json: bool,
        /// Compare with an earlier run, whose JSON is in this file.
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        compare: Option<PathBuf>,
    },
    /// Run one command with a PostgreSQL and a RabbitMQ of its own.
    #[command(subcommand)]
    Ephemeral(Ephemeral),
    /// Refresh generated files: `.sqlx/` after a change of SQL or of a migration, `docs/` after one of an event.
    Prepare {
        /// Change nothing; fail when a file is stale.
        #[arg(long)]
        check: bool,
    },
    /// Write the completions of a shell on standard output.
    #[command(after_help = "Example:\n  source <(./medtrack completions bash)")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Up {
    /// Return when everything is ready, and leave it running.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Install nothing; name what is missing.
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Number of processes of a consumer, such as `comm-consumer=3`; also while the stack runs.
    #[arg(long, value_name = "UNIT=N", value_parser = scale)]
    pub(crate) scale: Vec<Scale>,
}

/// How many processes a consumer has.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    pub(crate) unit: String,
    pub(crate) processes: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ephemeral {
    /// Run a command with MEDTRACK_TEST_DATABASE_URL, …_AMQP_URL and …_MANAGEMENT_URL set; remove the servers afterwards.
    #[command(after_help = "Example:\n  medtrack ephemeral exec -- cargo test -p messaging")]
    Exec {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let workspace = Workspace::find()?;
        match self {
            Command::Up(options) if options.detach => up::detached(&workspace, &options).await?,
            Command::Up(options) => up::foreground(&workspace, &options).await?,
            Command::Stop { units } if units.is_empty() => end::stop(&workspace).await?,
            Command::Stop { units } => {
                control::send(&workspace, &control::Request::Stop(units)).await?;
            }
            Command::Restart { units } => {
                control::send(&workspace, &control::Request::Restart(units)).await?;
            }
            Command::Start { units } if units.is_empty() => {
                up::detached(&workspace, &Up::default()).await?;
            }
            Command::Start { units } => {
                control::send(&workspace, &control::Request::Start(units)).await?;
            }
            Command::Ps { json: true } => control::print_units(&workspace).await?,
            Command::Ps { json: false } => {
                control::send(&workspace, &control::Request::Ps).await?;
            }
            Command::Logs(arguments) => logs::show(&workspace, arguments).await?,
            Command::CreateAdmin { email } => return Err(up::create_admin(&workspace, &email)),
            Command::Reset { yes } => end::reset(&workspace, yes).await?,
            Command::Test { broker, arguments } => {
                return tests_and_bench::test(&workspace, broker.as_deref(), arguments).await;
            }
            Command::Bench { json, compare } => {
                return tests_and_bench::bench(&workspace, json, compare).await;
            }
            Command::Ephemeral(Ephemeral::Exec { command }) => {
                return ephemeral::exec(&workspace, command).await;
            }
            Command::Completions { shell } => help::complete(shell)?,
            Command::Prepare { check } => prepare::run(&workspace, check).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn scale(text: &str) -> Result<Scale, String> {
    let (unit, number) = text
        .split_once('=')
        .ok_or("write it as UNIT=N, such as comm-consumer=3")?;
    match number.parse() {
        Ok(processes @ 1..=9) => Ok(Scale {
            unit: unit.to_owned(),
            processes,
        }),
        _ => Err("N is a number from 1 to 9".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_broker_goes_to_cargo() {
        let cli =
            Cli::parse_from("medtrack test --broker /opt/rabbitmq -p events -- a_name".split(' '));
        let Command::Test { broker, arguments } = cli.command else {
            panic!("it is a test");
        };
        assert_eq!(broker, Some("/opt/rabbitmq".into()));
        assert_eq!(arguments, ["-p", "events", "--", "a_name"]);
    }
}
