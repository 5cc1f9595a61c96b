//! The question before a change that cannot be taken back, or not at once.

use super::text;
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, IsTerminal as _};

/// Asks a person on the terminal. `yes` is the option of the same name: it agrees without a question.
///
/// # Errors
/// Fails when the person does not agree, and where there is no terminal to ask on.
pub(super) fn ensure_agreed(question: &str, yes: bool) -> anyhow::Result<()> {
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!("{question} Nothing was changed: there is no terminal to ask on; try: add --yes");
    }
    // Standard output may go into a file, and the person has to see the question.
    eprint!("{} [y/N] ", text::block(question));
    let mut answer = String::new();
    input
        .lock()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    match agrees(&answer) {
        true => Ok(()),
        false => bail!("nothing was changed"),
    }
}

/// Whether an answer is a yes. Everything else is a no: an empty line, and the end of the input.
fn agrees(answer: &str) -> bool {
    let answer = answer.trim();
    ["y", "yes"]
        .iter()
        .any(|yes| answer.eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_no_unless_it_is_a_plain_yes() {
        for yes in ["y\n", "Y\n", " yes \n", "YES"] {
            assert!(agrees(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "ye\n", "yes!\n", "y n\n", "o\n"] {
            assert!(!agrees(no), "{no:?}");
        }
    }
}
