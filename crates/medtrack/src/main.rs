//! `medtrack`: runs the whole system on one machine, without containers, and looks after it.
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

mod commands;
mod control;
mod gateway;
mod home;
mod install;
mod logs;
mod operator;
mod ports;
mod postgres;
mod prepare;
mod processes;
mod program;
mod rabbitmq;
mod secrets;
mod stack;
mod supervisor;
mod throwaway;
mod units;
mod up;

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
