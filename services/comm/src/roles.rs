//! The roles of the binary: one for each subcommand.

use crate::{
    SERVICE,
    commands::notifications,
    config::{Command, OwnCommand},
    consumer, http,
};
use service_kit::{Roles, process};
use std::process::ExitCode;

/// Reads the command line, and runs the role that it names.
pub fn run() -> ExitCode {
    match SERVICE.parse::<Command>() {
        Roles::Shared(role) => {
            let consume =
                |config, process| messaging::consume(consumer::consume(), config, process);
            SERVICE.run(role, http::start, consume, http::openapi)
        }
        Roles::Own(OwnCommand::Notifications(config)) => {
            process::run(&config.log.clone(), |process| {
                notifications(*config, process)
            })
        }
    }
}
