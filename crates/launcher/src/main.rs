//! `launcher`: runs the whole system on one machine, without containers.

mod command_spec;
mod commands;
mod control;
mod end;
mod ephemeral;
mod gateway;
mod help;
mod install;
mod logs;
mod output;
mod ports;
mod postgres;
mod prepare;
mod processes;
mod rabbitmq;
mod settings;
mod supervisor;
mod tests_and_bench;
mod units;
mod up;
mod workspace;

use std::process::ExitCode;

/// Runs on one thread: the kernel signals a child when the *thread* that started it dies.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = async { help::parse()?.command.run().await };
    match outcome.await {
        Ok(code) => code,
        Err(error) => {
            output::error(&format!("medtrack: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
