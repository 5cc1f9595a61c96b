//! The binary `auth-service`.

use std::process::ExitCode;

fn main() -> ExitCode {
    auth_service::run()
}
