//! The operator's commands, as its program describes them.

use clap::{Arg, ArgAction, Command};
use serde::Deserialize;
use std::path::Path;

/// A command with its arguments and its own commands.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) aliases: Vec<String>,
    pub(super) arguments: Vec<Argument>,
    pub(super) commands: Vec<Described>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Argument {
    id: String,
    help: String,
    long: Option<String>,
    short: Option<char>,
    takes_value: bool,
    values: Vec<String>,
}

/// The commands of the operator's program; none where it is not built.
pub(super) fn commands(program: &Path) -> Vec<Described> {
    let output = std::process::Command::new(program)
        .arg("--list-commands")
        .output();
    let described: Option<Described> = output
        .ok()
        .and_then(|output| serde_json::from_slice(&output.stdout).ok());
    described.unwrap_or_default().commands
}

impl Described {
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// The command as clap has it, for completions.
    pub(super) fn into_command(self) -> Command {
        // clap needs names that are never freed, and this process ends soon.
        let aliases = self.aliases.into_iter().map(|alias| &*alias.leak());
        Command::new(&*self.name.leak())
            .about(self.about)
            .visible_aliases(aliases.collect::<Vec<&str>>())
            .args(self.arguments.into_iter().map(Argument::into_arg))
            .subcommands(self.commands.into_iter().map(Self::into_command))
    }
}

impl Argument {
    fn into_arg(self) -> Arg {
        let mut arg = Arg::new(&*self.id.leak()).help(self.help);
        if let Some(short) = self.short {
            arg = arg.short(short);
        }
        arg = match self.long {
            Some(long) => arg.long(&*long.leak()),
            None => arg,
        };
        if !self.takes_value {
            return arg.action(ArgAction::SetTrue);
        }
        match self.values.is_empty() {
            true => arg,
            false => {
                let values = self.values.into_iter().map(|value| &*value.leak());
                arg.value_parser(values.collect::<Vec<&'static str>>())
            }
        }
    }
}
