//! The binary `comm-service`.

use std::process::ExitCode;

fn main() -> ExitCode {
    comm_service::run()
}
