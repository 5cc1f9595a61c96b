//! The binary `profile-service`.

use std::process::ExitCode;

fn main() -> ExitCode {
    profile_service::run()
}
