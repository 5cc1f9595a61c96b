//! The binary `profile-service`: one role for each subcommand.

use profile_service::{
    commands::student,
    config::{Cli, Command},
    consume_events, http, migrate, serve,
};
use service_kit::{health::healthcheck, http::docs, parse, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    match parse::<Cli>().command {
        Command::Serve(config) => run(&config.log.clone(), |process| serve(config, process)),
        Command::ConsumeEvents(config) => run(&config.log.clone(), |process| {
            consume_events(config, process)
        }),
        Command::Migrate(config) => run(&config.log.clone(), |process| migrate(config, process)),
        Command::Student(config) => run(&config.log.clone(), |process| student(config, process)),
        Command::Openapi => docs::print(&http::openapi()),
        Command::Healthcheck(config) => healthcheck(&config),
    }
}
