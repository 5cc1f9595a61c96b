//! The roles of the binary: one for each subcommand.

use crate::{
    SERVICE,
    commands::{create_admin, keys::list_keys, migrate, rotate_keys},
    config::{Command, KeysCommand, OwnCommand},
    consumer, http,
};
use service_kit::{Roles, SharedRole, process};
use std::process::ExitCode;

/// Reads the command line, and runs the role that it names.
pub fn run() -> ExitCode {
    match SERVICE.parse::<Command>() {
        Roles::Shared(SharedRole::Migrate(config)) => {
            process::run(&config.log.clone(), |process| migrate(*config, process))
        }
        Roles::Shared(role) => {
            let consume =
                |config, process| messaging::consume(consumer::consume(), config, process);
            SERVICE.run(role, http::start, consume, http::openapi)
        }
        Roles::Own(OwnCommand::CreateAdmin(config)) => {
            process::run(&config.log.clone(), |process| {
                create_admin(*config, process)
            })
        }
        Roles::Own(OwnCommand::Keys(KeysCommand::Rotate(config))) => {
            process::run(&config.log.clone(), |process| rotate_keys(*config, process))
        }
        Roles::Own(OwnCommand::Keys(KeysCommand::List(config))) => {
            process::run(&config.log.clone(), |process| list_keys(*config, process))
        }
    }
}
