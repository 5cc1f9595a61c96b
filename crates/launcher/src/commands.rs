//! What can be asked of the launcher.

use crate::{control, ephemeral, logs, prepare, stack, up, workspace::Workspace};
use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// Runs MedTrack's notification event system on this machine, and looks after it.
#[derive(Debug, Parser)]
#[command(
    name = "medtrack",
    version,
    after_help = "Examples:\n  \
    medtrack up                         start everything, logs in this terminal, Ctrl-C stops\n  \
    medtrack up --detach                start everything in the background\n  \
    medtrack logs -f comm-consumer      follow one unit\n  \
    medtrack test -p messaging          run the tests of one crate"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start PostgreSQL, RabbitMQ, the six processes and the gateway.
    Up(Up),
    /// Stop everything, or only some units; data stay.
    Stop { units: Vec<String> },
    /// Restart units, or start stopped ones.
    Restart {
        #[arg(required = true)]
        units: Vec<String>,
    },
    /// List the units: process, state, since when, restarts.
    Ps,
    /// Show logs, of all units or of one.
    Logs {
        /// Go on as lines are written.
        #[arg(short, long)]
        follow: bool,
        unit: Option<String>,
    },
    /// Stop everything and forget all data.
    Reset {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Run all tests against a PostgreSQL and a RabbitMQ of their own.
    Test {
        /// Passed to `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure the chain beside this machine's floor, on an idle machine.
    Bench {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// A PostgreSQL and a RabbitMQ for one command.
    #[command(subcommand)]
    Ephemeral(Ephemeral),
    /// Refresh what is generated: `.sqlx/` after a change of SQL or of a migration, `docs/` after one of an event.
    Prepare {
        /// Change nothing; fail when something is stale.
        #[arg(long)]
        check: bool,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Up {
    /// Return when everything is ready, and leave it running.
    #[arg(long)]
    pub(crate) detach: bool,
    /// Install nothing; say what is missing.
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Processes of a consumer, such as `comm-consumer=3`.
    #[arg(long, value_name = "UNIT=N", value_parser = scale)]
    pub(crate) scale: Vec<(String, u32)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ephemeral {
    /// Run a command with MEDTRACK_TEST_DATABASE_URL, …_AMQP_URL and …_MANAGEMENT_URL set; all is gone afterwards.
    #[command(after_help = "Example:\n  medtrack ephemeral exec -- cargo test -p messaging")]
    Exec {
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
            Command::Stop { units } if units.is_empty() => stack::stop(&workspace).await?,
            Command::Stop { units } => {
                control::tell(&workspace, &control::Request::Stop(units)).await?
            }
            Command::Restart { units } => {
                control::tell(&workspace, &control::Request::Restart(units)).await?
            }
            Command::Ps => control::tell(&workspace, &control::Request::Ps).await?,
            Command::Logs { follow, unit } => {
                logs::show(&workspace, unit.as_deref(), follow).await?
            }
            Command::Reset { yes } => stack::reset(&workspace, yes).await?,
            Command::Test { arguments } => return ephemeral::test(&workspace, arguments).await,
            Command::Bench { json } => return ephemeral::bench(&workspace, json).await,
            Command::Ephemeral(Ephemeral::Exec { command }) => {
                return ephemeral::exec(&workspace, command).await;
            }
            Command::Prepare { check } => prepare::run(&workspace, check).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn scale(text: &str) -> Result<(String, u32), String> {
    let (unit, number) = text
        .split_once('=')
        .ok_or("write it as UNIT=N, such as comm-consumer=3")?;
    match number.parse() {
        Ok(number @ 1..=9) => Ok((unit.to_owned(), number)),
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
}
