//! The command line: one file for each verb, which calls the library, then prints.
#![expect(
    clippy::print_stderr,
    reason = "a command line reports its errors to a person"
)]

/// Prints lines on standard output, without control characters. When its reader has closed it, as in
/// `medtrack events list | head`, the command ends.
macro_rules! say {
    ($($line:tt)*) => {
        crate::cli::say_styled!("{}", crate::cli::text::block(&format!($($line)*)))
    };
}

/// Prints a line with colours or tabs of our own. The caller passes text from outside through [`text::line`] first.
macro_rules! say_styled {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($line)*).is_err() {
            std::process::exit(0);
        }
    }};
}
use say_styled;

mod ask;
mod audit;
mod commands;
mod dead;
mod demo;
mod doctor;
mod events;
mod mail;
mod outbox;
mod queues;
mod reconcile;
mod secrets;
mod table;
pub(crate) mod text;
mod topology;
mod trace;
mod watch;
mod who;

use crate::endpoints::Endpoints;
use clap::{CommandFactory as _, Parser, Subcommand};
use std::process::ExitCode;

/// The exit code for a wrong command line, as in sysexits.h: 2, which clap has for it, is a warning of the doctor.
const EX_USAGE: u8 = 64;

/// Inspects and repairs a running notification event system of MedTrack.
#[derive(Debug, Parser)]
#[command(
    name = "medtrack",
    version,
    arg_required_else_help = true,
    override_usage = "medtrack <COMMAND>",
    max_term_width = 80,
    after_help = "Exit code 0: done. 1: it failed, or something is broken. 64: the command line is wrong."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Print all commands as JSON, for the launcher's help and its completions.
    #[arg(long, hide = true, exclusive = true)]
    list_commands: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find out what is wrong, and what to do about it.
    #[command(
        after_help = "Exit code 0: all is good. 1: something does not work. 2: it works, and a person should look.\n\
                      Examples:\n  medtrack doctor\n  medtrack doctor --verbose  print what is good, too\n  \
                      medtrack doctor --quiet    print only what is not good, as for cron"
    )]
    #[command(visible_alias = "health")]
    Doctor(doctor::Doctor),
    /// Show what became of the events of a person, and what the person was told; or where one event is.
    #[command(
        after_help = "Exit code 1: nothing was found.\nExamples:\n  medtrack trace test.user@example.com\n  \
                            medtrack trace test user\n  medtrack trace 01a20942-4f9c-77ab-96e5-4bc61d4632b2"
    )]
    Trace {
        /// An e-mail, a name or a part of either; or the id of a user, a student, an encadrant, an event, a request or
        /// a notification.
        #[arg(required = true)]
        subject: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Inspect, replay or discard events that could not be handled.
    Dead(Box<dead::Dead>),
    /// List what operators did with events, queues and users, and which payloads they looked at.
    #[command(
        after_help = "Examples:\n  medtrack audit --since 7d\n  medtrack audit 01a20942-4f9c-77ab-96e5-4bc61d4632b2"
    )]
    Audit(audit::Audit),
    /// List events that are committed and not published yet.
    #[command(after_help = "Examples:\n  medtrack outbox\n  medtrack outbox --since 2h --json")]
    Outbox(outbox::Outbox),
    /// List the mails, show what became of one, or have one sent again. Texts and links are never shown.
    Mail(mail::Mail),
    /// List the queues, as RabbitMQ sees them.
    #[command(after_help = "Example:\n  medtrack queues --json")]
    Queues(queues::Queues),
    /// Register a student and an encadrant, and show each hop of what follows with its time.
    Demo,
    /// Look at the events of the system, or publish one.
    #[command(subcommand)]
    Events(events::Events),
    /// Show the messages on the bus as they pass; their values only with --payload.
    #[command(after_help = "Examples:\n  medtrack watch\n  medtrack watch 'student.*' --payload")]
    Watch(watch::Watch),
    /// Compare the users of all services, and announce again what a service has missed.
    #[command(
        after_help = "Exit code 1: the services differ, and --fix was not given or cannot mend it.\n\
                      Examples:\n  medtrack reconcile\n  medtrack reconcile --fix"
    )]
    Reconcile(reconcile::Reconcile),
    /// Declare exchange, queues and bindings.
    #[command(subcommand)]
    Topology(topology::Topology),
    /// Make the secrets of a production stack: passwords, addresses, broker logins with least privilege.
    #[command(
        after_help = "Examples:\n  medtrack secrets ./secrets\n  medtrack secrets ./secrets --add\n  \
                      medtrack secrets ./secrets --add --publisher core-service"
    )]
    Secrets(secrets::Secrets),
    /// Write the completions of a shell on standard output.
    #[command(after_help = "Example:\n  source <(medtrack completions bash)")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command that the arguments of this process name. The runtime is started here and not in the program, so that
/// the compiler translates the commands once.
#[tokio::main(flavor = "current_thread")]
pub async fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return usage(&refusal),
    };
    match cli.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("medtrack: {}", text::block(&in_words(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line.
fn usage(refusal: &clap::Error) -> ExitCode {
    let _ = refusal.print();
    match refusal.use_stderr() {
        true => ExitCode::from(EX_USAGE),
        false => ExitCode::SUCCESS,
    }
}

/// Writes an error with its causes, and what to do about it last.
fn in_words(error: &anyhow::Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut advice = None;
    for cause in error.chain().map(ToString::to_string) {
        let cause = match cause.split_once("; try: ") {
            Some((cause, try_this)) => {
                advice.get_or_insert(try_this.to_owned());
                cause.to_owned()
            }
            None => cause,
        };
        // Some errors quote their causes.
        if words.iter().all(|before| !before.contains(&cause)) {
            words.push(cause);
        }
    }
    let words = words.join(": ");
    advice.map_or(words.clone(), |advice| format!("{words}; try: {advice}"))
}

impl Cli {
    async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            None => say_styled!("{}", commands::describe(&Cli::command())),
            // These two need no running stack.
            Some(Command::Completions { shell }) => {
                let output = &mut std::io::stdout();
                clap_complete::generate(shell, &mut Cli::command(), "medtrack", output);
            }
            Some(Command::Secrets(command)) => command.run()?,
            Some(command) => return command.run(&Endpoints::find()?).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Command {
    async fn run(self, endpoints: &Endpoints) -> anyhow::Result<ExitCode> {
        if self.needs_stack() {
            endpoints.require_running()?;
        }
        match self {
            Command::Doctor(command) => return command.run(endpoints).await,
            Command::Trace { subject, json } => {
                return trace::run(endpoints, &subject.join(" "), json).await;
            }
            Command::Reconcile(command) => return command.run(endpoints).await,
            Command::Dead(command) => return command.run(endpoints).await,
            Command::Audit(command) => command.run(endpoints).await?,
            Command::Outbox(command) => command.run(endpoints).await?,
            Command::Mail(command) => command.run(endpoints).await?,
            Command::Queues(command) => command.run(endpoints).await?,
            Command::Demo => demo::run(endpoints).await?,
            Command::Events(command) => command.run(endpoints).await?,
            Command::Watch(command) => command.run(endpoints).await?,
            Command::Topology(command) => command.run(endpoints).await?,
            Command::Completions { .. } | Command::Secrets(_) => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whether it asks a part of the stack. The doctor does, too, and says itself that nothing runs.
    fn needs_stack(&self) -> bool {
        match self {
            Command::Doctor(_) | Command::Completions { .. } | Command::Secrets(_) => false,
            Command::Events(events) => events.needs_stack(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_ends_in_what_to_do() {
        let refused = anyhow::anyhow!("refused (os error 111)");
        let error = refused
            .context("cannot connect: refused (os error 111)")
            .context("the database does not answer; try: medtrack doctor");
        assert_eq!(
            in_words(&error),
            "the database does not answer: cannot connect: refused (os error 111); try: medtrack doctor"
        );
        assert_eq!(
            in_words(&anyhow::anyhow!("no; try: a, or b")),
            "no; try: a, or b"
        );
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_command_and_each_argument_is_described() {
        let described = |what: &serde_json::Value, text: &str| {
            let text = what[text].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "{what}");
        };
        let mut commands = vec![commands::describe(&Cli::command())];
        while let Some(command) = commands.pop() {
            described(&command, "about");
            let arguments = command["arguments"].as_array();
            for argument in arguments.into_iter().flatten() {
                described(argument, "help");
            }
            commands.extend(command["commands"].as_array().cloned().unwrap_or_default());
        }
    }
}
