//! What the launcher prints. A closed terminal or pipe never ends a launcher that runs a stack, so a line that cannot
//! be written is dropped. Only commands that print and do nothing else look at the error.

use chrono::Utc;
use std::io::{self, Write as _};

/// Prints a line, and drops it when the output is closed.
pub(crate) fn say(text: &str) {
    let _ = line(text);
}

/// Prints a line to standard error, and drops it when that is closed.
pub(crate) fn error(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints what happened to the stack, with the time, to standard error.
pub(crate) fn event(text: &str) {
    stamped("INFO", text);
}

/// Prints what went wrong in the stack, with the time, to standard error.
pub(crate) fn warning(text: &str) {
    stamped("WARN", text);
}

/// Prints in the form of the services' logs, which `logs --level` reads.
fn stamped(level: &str, text: &str) {
    let now = Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
    error(&format!("{now} {level} {text}"));
}

/// Prints a line; fails when the output is closed.
pub(crate) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
