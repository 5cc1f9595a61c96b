//! `medtrack`: the operator's command, in a checkout and in a container.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator::cli::run()
}
