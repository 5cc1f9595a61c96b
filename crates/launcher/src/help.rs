//! The command line as a person sees it: one table for the launcher's verbs and for the operator's. The shim `medtrack`
//! calls the launcher for `--help`, and the launcher asks the operator's command for its list.

use crate::{commands::Cli, workspace};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::{os::unix::process::CommandExt as _, path::Path, process::Command};

/// Reads the command line of this process.
pub(crate) fn parse() -> anyhow::Result<Cli> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut cli = Cli::command();
    match words[..] {
        [] | ["help" | "-h" | "--help"] => {
            let verbs = operator_verbs(&workspace::binaries()?.join("medtrack"));
            cli = cli.after_help(after_help(&verbs));
        }
        // Help about a verb of the operator.
        ["help", verb] if cli.find_subcommand(verb).is_none() => {
            let operator = workspace::binaries()?.join("medtrack");
            return Err(Command::new(operator).args(["help", verb]).exec().into());
        }
        _ => {}
    }
    Ok(Cli::from_arg_matches(&cli.get_matches())?)
}

/// A verb and what it does.
#[derive(Debug, PartialEq, Eq)]
struct Verb {
    name: String,
    about: String,
}

/// The verbs of the operator's command; none where it is not built.
fn operator_verbs(operator: &Path) -> Vec<Verb> {
    let output = Command::new(operator).arg("--list-commands").output();
    match output {
        Ok(output) if output.status.success() => verbs(&String::from_utf8_lossy(&output.stdout)),
        _ => Vec::new(),
    }
}

fn verbs(list: &str) -> Vec<Verb> {
    let verb = |line: &str| {
        let (name, about) = line.split_once('\t')?;
        Some(Verb {
            name: name.to_owned(),
            about: about.to_owned(),
        })
    };
    list.lines().filter_map(verb).collect()
}

/// What follows the launcher's own verbs in `--help`.
fn after_help(operator: &[Verb]) -> String {
    let mut text = String::new();
    if !operator.is_empty() {
        text += "Inspect and repair a running system:\n";
        for verb in operator {
            text += &format!("  {:<11}{}\n", verb.name, verb.about);
        }
        text.push('\n');
    }
    text + EXAMPLES
}

pub(crate) const EXAMPLES: &str = "Examples:
  medtrack up                         start everything, logs in this terminal, Ctrl-C stops
  medtrack up --detach                start everything in the background
  medtrack logs -f comm-consumer      follow the log of one unit
  medtrack test -p messaging          run the tests of one crate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_verbs_are_in_the_help() {
        let verbs = verbs("doctor\tFind out what is broken.\nno tab\ndead\tShow dead events.\n");
        assert_eq!(verbs.len(), 2);
        let mut cli = Cli::command().after_help(after_help(&verbs));
        let help = cli.render_help().to_string();
        for part in [
            "  up ",
            "  doctor     Find out",
            "  dead       Show",
            "Examples:",
        ] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }

    /// The shim decides by its own list which of the two commands it runs.
    #[test]
    fn the_shim_knows_every_verb_of_the_launcher() {
        let shim = include_str!("../../../medtrack");
        let list = shim
            .lines()
            .find_map(|line| line.strip_prefix("launcher_verbs="));
        let mut listed: Vec<&str> = list
            .expect("the shim has its list in one line")
            .trim_matches(['\'', '"'])
            .split_whitespace()
            .collect();
        let cli = Cli::command();
        let mut verbs: Vec<&str> = cli
            .get_subcommands()
            .flat_map(|verb| std::iter::once(verb.get_name()).chain(verb.get_all_aliases()))
            .collect();
        verbs.extend(["help", "-h", "--help"]);
        listed.sort_unstable();
        verbs.sort_unstable();
        assert_eq!(listed, verbs);
    }
}
