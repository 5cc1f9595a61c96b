//! The command line as data: the launcher shows the operator's commands in its help, and completes them.

use clap::{Arg, Command};
use serde_json::{Value, json};

/// Describes a command with its arguments and its own commands.
pub(super) fn describe(command: &Command) -> Value {
    let shown = command.get_subcommands().filter(|one| !one.is_hide_set());
    let arguments = command.get_arguments().filter(|one| !one.is_hide_set());
    json!({
        "name": command.get_name(),
        "about": command.get_about().map(ToString::to_string).unwrap_or_default(),
        "aliases": command.get_visible_aliases().collect::<Vec<_>>(),
        "arguments": arguments.map(argument).collect::<Vec<_>>(),
        "commands": shown.map(describe).collect::<Vec<_>>(),
    })
}

fn argument(argument: &Arg) -> Value {
    let values = argument.get_possible_values();
    json!({
        "id": argument.get_id().as_str(),
        "help": argument.get_help().map(ToString::to_string).unwrap_or_default(),
        "long": argument.get_long(),
        "short": argument.get_short(),
        "takes_value": argument.get_action().takes_values(),
        "values": values.iter().map(clap::builder::PossibleValue::get_name).collect::<Vec<_>>(),
    })
}
