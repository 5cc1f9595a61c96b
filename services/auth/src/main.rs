//! The binary `auth-service`: one role for each subcommand.

use auth_service::{
    SERVICE,
    commands::{create_admin, migrate, rotate_keys},
    config::{Command, KeysCommand, OwnCommand},
    consume, http,
};
use service_kit::{Roles, SharedRole, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match SERVICE.parse::<Command>() {
        Roles::Shared(SharedRole::Migrate(config)) => {
            run(&config.log.clone(), |process| migrate(*config, process))
        }
        Roles::Shared(role) => {
            let consume = |config, process| messaging::consume(consume(), config, process);
            SERVICE.run(role, http::start, consume, http::openapi)
        }
        Roles::Own(OwnCommand::CreateAdmin(config)) => run(&config.log.clone(), |process| {
            create_admin(*config, process)
        }),
        Roles::Own(OwnCommand::Keys(KeysCommand::Rotate(config))) => {
            run(&config.log.clone(), |process| rotate_keys(*config, process))
        }
    }
}
