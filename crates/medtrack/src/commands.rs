//! What can be asked of the launcher.

use crate::{
    control,
    home::Home,
    logs,
    operator::{dead, demo, doctor, events, outbox, queues, topology, trace, watch},
    prepare, secrets, stack, throwaway, up,
};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

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
    Stack(Stack),
    /// Find out what is wrong, and what to do about it.
    #[command(after_help = "Exit code 1: something does not work.\nExample:\n  medtrack doctor --json")]
    Doctor {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Show where an event is: each hop over the three databases, and where it is stuck.
    #[command(after_help = "Examples:\n  medtrack trace test.user@example.com\n  \
                            medtrack trace 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Trace {
        /// A user's e-mail or id, a correlation id, or an event's id.
        subject: String,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Look after events that could not be handled.
    #[command(subcommand)]
    Dead(dead::Dead),
    /// List events that are committed and not published yet.
    #[command(after_help = "Example:\n  medtrack outbox --json")]
    Outbox {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// List the queues, as RabbitMQ sees them.
    #[command(after_help = "Example:\n  medtrack queues --json")]
    Queues {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Register a student and an encadrant, and show each hop of what follows with its time.
    Demo,
    /// Look at the events of the system, or publish one.
    #[command(subcommand)]
    Events(events::Events),
    /// Show what goes over the bus, as it goes; values only on request.
    #[command(after_help = "Examples:\n  medtrack watch\n  medtrack watch 'student.*' --payload")]
    Watch {
        /// Topic patterns: * is one word, # any number.
        patterns: Vec<String>,
        /// Show what the fields say: it may name a person.
        #[arg(long)]
        payload: bool,
        /// One message for each line, as it came.
        #[arg(long)]
        json: bool,
    },
    /// Look after exchange, queues and bindings.
    #[command(subcommand)]
    Topology(Topology),
    /// Make the secrets of a production stack: passwords, addresses, broker logins with least privilege.
    #[command(after_help = "Example:\n  medtrack secrets ./secrets")]
    Secrets {
        /// A folder that does not exist yet.
        folder: PathBuf,
    },
    /// Write the completions of a shell on standard output.
    #[command(after_help = "Example:\n  source <(medtrack completions bash)")]
    Completions { shell: clap_complete::Shell },
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
pub(crate) enum Topology {
    /// Declare what is missing, with the login of AMQP_URL: it must be allowed to.
    #[command(
        after_help = "Example:\n  AMQP_URL=amqp://operator:…@127.0.0.1:5672/%2f medtrack topology apply"
    )]
    Apply,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Stack {
    /// Run a command with MEDTRACK_TEST_DATABASE_URL, …_AMQP_URL and …_MANAGEMENT_URL set; all is gone afterwards.
    #[command(after_help = "Example:\n  medtrack stack exec -- cargo test -p messaging")]
    Exec {
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let home = Home::find()?;
        match self {
            Command::Up(options) if options.detach => up::detached(&home, &options).await?,
            Command::Up(options) => up::foreground(&home, &options).await?,
            Command::Stop { units } if units.is_empty() => stack::stop(&home).await?,
            Command::Stop { units } => control::tell(&home, &control::Request::Stop(units)).await?,
            Command::Restart { units } => control::tell(&home, &control::Request::Restart(units)).await?,
            Command::Ps => control::tell(&home, &control::Request::Ps).await?,
            Command::Logs { follow, unit } => logs::show(&home, unit.as_deref(), follow).await?,
            Command::Reset { yes } => stack::reset(&home, yes).await?,
            Command::Test { arguments } => return throwaway::test(&home, arguments).await,
            Command::Bench { json } => return throwaway::bench(&home, json).await,
            Command::Stack(Stack::Exec { command }) => return throwaway::exec(&home, command).await,
            Command::Doctor { json } => return doctor::run(&home, json).await,
            Command::Trace { subject, json } => trace::run(&home, &subject, json).await?,
            Command::Dead(command) => dead::run(&home, command).await?,
            Command::Outbox { json } => outbox::run(&home, json).await?,
            Command::Queues { json } => queues::run(&home, json).await?,
            Command::Demo => demo::run(&home).await?,
            Command::Events(command) => events::run(&home, command).await?,
            Command::Watch { patterns, payload, json } => watch::run(&home, patterns, payload, json).await?,
            Command::Topology(Topology::Apply) => topology::apply(&home).await?,
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Cli::command(), "medtrack", &mut std::io::stdout());
            }
            Command::Secrets { folder } => secrets::make(&folder)?,
            Command::Prepare { check } => prepare::run(&home, check).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn scale(text: &str) -> Result<(String, u32), String> {
    let (unit, number) = text.split_once('=').ok_or("write it as UNIT=N, such as comm-consumer=3")?;
    match number.parse() {
        Ok(number @ 1..=9) => Ok((unit.to_owned(), number)),
        _ => Err("N is a number from 1 to 9".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
