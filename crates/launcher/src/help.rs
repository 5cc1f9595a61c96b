//! The command line as a person sees it: one table for the launcher's commands and for the operator's. The shim
//! `medtrack` runs the launcher, which asks the operator's program for its list, and hands the operator's commands on.

mod operator;

use crate::{commands::Cli, workspace};
use clap::{CommandFactory as _, FromArgMatches as _};
use operator::Described;
use std::{
    io,
    os::unix::process::CommandExt as _,
    process::{Command, exit},
};

/// The exit code for a wrong command line, as in sysexits.h: 2, which clap has for it, is a warning of the doctor.
const EX_USAGE: i32 = 64;

/// The columns of a terminal, and where the descriptions begin.
pub(crate) const WIDTH: usize = 80;
const INDENT: usize = 16;

/// The commands in the order in which the help shows them.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "Run",
        &[
            "up",
            "start",
            "stop",
            "restart",
            "reset",
            "create-admin",
            "secrets",
        ],
    ),
    (
        "Look",
        &[
            "doctor", "ps", "logs", "trace", "demo", "events", "watch", "queues", "outbox", "mail",
            "audit",
        ],
    ),
    ("Repair", &["dead", "reconcile", "topology"]),
    (
        "Develop",
        &["test", "bench", "ephemeral", "prepare", "completions"],
    ),
];
const OTHERS: &str = "Others";

const AFTER: &str = "\
Exit code 0: done. 1: it failed, or something is broken. 2: the doctor says that
a person should look. 64: the command line is wrong.
`medtrack help COMMAND` tells more about a command.

Examples:
  medtrack up                     start everything here, Ctrl-C stops
  medtrack up --detach            start everything in the background
  medtrack doctor                 what is wrong, and what to do about it
  medtrack logs -f comm-consumer  follow the log of one unit
  medtrack test -p messaging      run the tests of one crate";

/// Reads the command line of this process.
pub(crate) fn parse() -> anyhow::Result<Cli> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut cli = Cli::command();
    match words[..] {
        [] | ["help" | "-h" | "--help"] => cli = with_groups(cli, operator_commands()?),
        ["help", verb, ..] | [verb, ..]
            if cli.find_subcommand(verb).is_none() && !verb.starts_with('-') =>
        {
            if is_in_a_group(verb) {
                return Err(hand_on(&words));
            }
            let commands = operator_commands()?;
            if commands.is_empty() || commands.iter().any(|command| command.is_called(verb)) {
                return Err(hand_on(&words));
            }
            // The refusal names what is similar, of all commands.
            cli = with_commands(cli, commands);
        }
        _ => {}
    }
    let matches = cli.try_get_matches().unwrap_or_else(|refusal| {
        let _ = refusal.print();
        exit(if refusal.use_stderr() { EX_USAGE } else { 0 })
    });
    Ok(Cli::from_arg_matches(&matches)?)
}

/// Writes the completions of a shell, for the launcher's commands and the operator's.
pub(crate) fn complete(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut cli = with_commands(Cli::command(), operator_commands()?);
    clap_complete::generate(shell, &mut cli, "medtrack", &mut io::stdout());
    Ok(())
}

/// Becomes the operator's program. Returns only when it cannot be started.
fn hand_on(words: &[&str]) -> anyhow::Error {
    match workspace::binaries() {
        Ok(binaries) => {
            let error = Command::new(binaries.join("medtrack")).args(words).exec();
            anyhow::Error::from(error).context("the operator's program cannot be started")
        }
        Err(error) => error,
    }
}

fn with_commands(mut cli: clap::Command, operator: Vec<Described>) -> clap::Command {
    for command in operator {
        if cli.find_subcommand(&command.name).is_none() {
            cli = cli.subcommand(command.into_command());
        }
    }
    cli
}

fn is_in_a_group(verb: &str) -> bool {
    GROUPS.iter().any(|(_, names)| names.contains(&verb))
}

fn operator_commands() -> anyhow::Result<Vec<Described>> {
    Ok(operator::commands(&workspace::binaries()?.join("medtrack")))
}

/// Shows the commands in their groups, with those of the operator.
fn with_groups(cli: clap::Command, operator: Vec<Described>) -> clap::Command {
    let own = cli.get_subcommands().map(|command| Described {
        name: command.get_name().to_owned(),
        about: command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
        aliases: command.get_visible_aliases().map(str::to_owned).collect(),
        ..Described::default()
    });
    let mut commands: Vec<Described> = own.collect();
    for command in operator {
        if commands.iter().all(|own| own.name != command.name) {
            commands.push(command);
        }
    }
    cli.before_help(grouped(commands)).after_help(AFTER).help_template(
        "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options:\n{options}{after-help}",
    )
}

fn grouped(mut commands: Vec<Described>) -> String {
    let mut text = String::new();
    let mut group = |title: &str, members: &[Described]| {
        if !members.is_empty() {
            text += &format!("{title}:\n");
            members.iter().for_each(|member| text += &line(member));
            text += "\n";
        }
    };
    for (title, names) in GROUPS {
        let mut members = Vec::new();
        for name in names {
            if let Some(index) = commands.iter().position(|command| command.name == *name) {
                members.push(commands.remove(index));
            }
        }
        group(title, &members);
    }
    group(OTHERS, &commands);
    text.trim_end().to_owned()
}

/// A command and what it does, with no line wider than a terminal.
fn line(command: &Described) -> String {
    let also = match command.aliases.is_empty() {
        true => String::new(),
        false => format!(" (also: {})", command.aliases.join(", ")),
    };
    let about = format!("{}{also}", command.about.trim_end_matches('.'));
    let mut text = format!("  {:<width$}", command.name, width = INDENT - 2);
    let mut column = INDENT;
    for (number, word) in about.split_whitespace().enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            text += &format!("\n{:INDENT$}", "");
            column = INDENT;
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_the_commands_of_both_in_groups() {
        let described = |name: &str, about: &str| Described {
            name: name.into(),
            about: about.into(),
            ..Described::default()
        };
        let long =
            "Finds out what is wrong and says so in more words than one line can hold for sure";
        let operator = vec![described("doctor", long), described("strange", "No group.")];
        let help = with_groups(Cli::command(), operator)
            .render_help()
            .to_string();
        assert!(
            help.lines().all(|line| line.chars().count() <= WIDTH),
            "{help}"
        );
        let mut rest = help.as_str();
        for part in [
            "\nRun:\n  up   ",
            "(also: down)",
            "\nLook:\n  doctor        Finds",
            "\nDevelop:\n  test   ",
            "\nOthers:\n  strange       No group\n",
            "\nOptions:\n",
            "\nExit code 0:",
        ] {
            let (_, after) = rest
                .split_once(part)
                .unwrap_or_else(|| panic!("{part} in {help}"));
            rest = after;
        }
    }

    #[test]
    fn each_command_of_the_launcher_has_one_group() {
        let cli = Cli::command();
        for command in cli.get_subcommands() {
            let groups = GROUPS.iter().flat_map(|(_, names)| names.iter());
            let groups = groups.filter(|name| **name == command.get_name());
            assert_eq!(groups.count(), 1, "{}", command.get_name());
        }
    }

    #[test]
    fn each_command_and_each_argument_is_described() {
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            assert!(command.get_about().is_some(), "{command}");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{command}: {argument}");
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn what_the_operators_program_describes_is_a_command() {
        let described: Described = serde_json::from_str(
            r#"{"name": "medtrack", "about": "", "aliases": [], "arguments": [], "commands": [
                {"name": "doctor", "about": "Looks", "aliases": ["health"], "commands": [], "arguments": [
                    {"id": "json", "help": "Print JSON", "long": "json", "short": null, "takes_value": false,
                     "values": []},
                    {"id": "kind", "help": "A kind", "long": "kind", "short": "k", "takes_value": true,
                     "values": ["one", "two"]}]}]}"#,
        )
        .expect("it is as the program writes it");
        let command = described.into_command();
        command.clone().debug_assert();
        let matches = command.try_get_matches_from(["medtrack", "health", "-k", "two", "--json"]);
        assert!(matches.is_ok(), "{matches:?}");
    }
}
