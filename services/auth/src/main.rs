//! The binary `auth-service`: one role for each subcommand.

use auth_service::{
    commands::{create_admin, rotate_keys},
    config::{Cli, Command, KeysCommand},
    consume_events, http, migrate, serve,
};
use service_kit::{health::healthcheck, http::docs, parse, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match parse::<Cli>().command {
        Command::Serve(config) => run(&config.log.clone(), |process| serve(*config, process)),
        Command::ConsumeEvents(config) => run(&config.log.clone(), |process| {
            consume_events(config, process)
        }),
        Command::Migrate(config) => run(&config.log.clone(), |process| migrate(config, process)),
        Command::Openapi => docs::print(&http::openapi()),
        Command::Healthcheck(config) => healthcheck(&config),
        Command::CreateAdmin(config) => {
            run(&config.log.clone(), |process| create_admin(config, process))
        }
        Command::Keys(KeysCommand::Rotate(config)) => {
            run(&config.log.clone(), |process| rotate_keys(config, process))
        }
    }
}
