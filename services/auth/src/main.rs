//! The binary `auth-service`: one role for each subcommand.

use auth_service::{
    SERVICE,
    commands::{create_admin, migrate, rotate_keys},
    config::{Command, KeysCommand, OwnCommand},
    consume, http,
};
use service_kit::{Roles, health::healthcheck, http::docs, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match SERVICE.parse::<Command>() {
        Roles::Serve(config) => run(&config.log.clone(), |process| {
            SERVICE.serve(*config, process, http::start)
        }),
        Roles::ConsumeEvents(config) => run(&config.log.clone(), |process| {
            messaging::consume(consume(), *config, process)
        }),
        Roles::Migrate(config) => run(&config.log.clone(), |process| migrate(*config, process)),
        Roles::Own(OwnCommand::CreateAdmin(config)) => run(&config.log.clone(), |process| {
            create_admin(*config, process)
        }),
        Roles::Own(OwnCommand::Keys(KeysCommand::Rotate(config))) => {
            run(&config.log.clone(), |process| rotate_keys(*config, process))
        }
        Roles::Openapi => docs::print(&http::openapi()),
        Roles::Healthcheck(config) => healthcheck(&config),
    }
}
