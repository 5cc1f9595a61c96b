//! `launcher`: runs the whole system on one machine, without containers.
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

mod command_spec;
mod commands;
mod control;
mod ephemeral;
mod gateway;
mod install;
mod logs;
mod ports;
mod postgres;
mod prepare;
mod processes;
mod rabbitmq;
mod stack;
mod supervisor;
mod units;
mod up;
mod workspace;

use clap::Parser as _;
use std::process::ExitCode;

/// One thread: children are told of this process's death by the thread that made them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match commands::Cli::parse().command.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("medtrack: {error:#}");
            ExitCode::FAILURE
        }
    }
}
