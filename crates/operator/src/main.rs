//! `medtrack`: the operator's command, in a checkout and in a container.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    operator::cli::run().await
}
