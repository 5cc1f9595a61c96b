//! The binary `comm-service`: one role for each subcommand.

use comm_service::{
    SERVICE,
    commands::notifications,
    config::{Command, OwnCommand},
    consume, http,
};
use service_kit::{Roles, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match SERVICE.parse::<Command>() {
        Roles::Shared(role) => {
            let consume = |config, process| messaging::consume(consume(), config, process);
            SERVICE.run(role, http::start, consume, http::openapi)
        }
        Roles::Own(OwnCommand::Notifications(config)) => run(&config.log.clone(), |process| {
            notifications(*config, process)
        }),
    }
}
