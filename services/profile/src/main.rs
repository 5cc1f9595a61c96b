//! The binary `profile-service`: one role for each subcommand.

use profile_service::{
    SERVICE,
    commands::student,
    config::{Command, OwnCommand},
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
        Roles::Migrate(config) => run(&config.log.clone(), |process| {
            SERVICE.migrate(*config, process)
        }),
        Roles::Own(OwnCommand::Student(config)) => {
            run(&config.log.clone(), |process| student(*config, process))
        }
        Roles::Openapi => docs::print(&http::openapi()),
        Roles::Healthcheck(config) => healthcheck(&config),
    }
}
