//! `medtrack`: looks after a running stack, in a checkout and in a container.
#![expect(clippy::print_stderr, reason = "a command line speaks to a person")]

/// Writes a line for a person. When nobody reads any more, as in `medtrack logs | head`, the command ends.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($what)*).is_err() {
            std::process::exit(0);
        }
    }};
}

mod broker;
mod cli;
mod endpoints;
mod secrets;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match cli::Cli::parse().command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("medtrack: {error:#}");
            ExitCode::FAILURE
        }
    }
}
