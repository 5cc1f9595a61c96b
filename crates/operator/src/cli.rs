//! The operator's commands: each asks the library, then prints.

mod dead;
mod demo;
mod doctor;
mod events;
mod list;
mod outbox;
mod queues;
mod topology;
mod trace;
mod watch;

use crate::{endpoints::Endpoints, secrets};
use chrono::{DateTime, Utc};
use clap::{CommandFactory as _, Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Looks after a running notification event system of MedTrack.
#[derive(Debug, Parser)]
#[command(name = "medtrack", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find out what is wrong, and what to do about it.
    #[command(
        after_help = "Exit code 1: something does not work.\nExample:\n  medtrack doctor --json"
    )]
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
        /// A directory that does not exist yet.
        dir: PathBuf,
    },
    /// Write the completions of a shell on standard output.
    #[command(after_help = "Example:\n  source <(medtrack completions bash)")]
    Completions { shell: clap_complete::Shell },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Topology {
    /// Declare what is missing, with the login of AMQP_URL: it must be allowed to.
    #[command(
        after_help = "Example:\n  AMQP_URL=amqp://operator:…@127.0.0.1:5672/%2f medtrack topology apply"
    )]
    Apply,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let endpoints = Endpoints::find();
        match self {
            Command::Doctor { json } => return doctor::run(&endpoints, json).await,
            Command::Trace { subject, json } => trace::run(&endpoints, &subject, json).await?,
            Command::Dead(command) => dead::run(&endpoints, command).await?,
            Command::Outbox { json } => outbox::run(&endpoints, json).await?,
            Command::Queues { json } => queues::run(&endpoints, json).await?,
            Command::Demo => demo::run(&endpoints).await?,
            Command::Events(command) => events::run(&endpoints, command).await?,
            Command::Watch {
                patterns,
                payload,
                json,
            } => watch::run(&endpoints, patterns, payload, json).await?,
            Command::Topology(Topology::Apply) => topology::apply(&endpoints).await?,
            Command::Completions { shell } => {
                clap_complete::generate(
                    shell,
                    &mut Cli::command(),
                    "medtrack",
                    &mut std::io::stdout(),
                );
            }
            Command::Secrets { dir } => secrets::make(&dir)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// How long ago, in the largest unit that says enough: `3 s`, `12 min`, `5 h`, `2 d`.
fn ago(time: DateTime<Utc>) -> String {
    let seconds = (Utc::now() - time).num_seconds().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
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
