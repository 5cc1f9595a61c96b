//! `test` and `bench`: cargo's own commands, with a PostgreSQL and a RabbitMQ for one run.

use crate::{
    command_spec::CommandSpec,
    ephemeral::{self, with_servers},
    install,
    workspace::Workspace,
};
use anyhow::Context as _;
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Runs all tests, or those that `arguments` name. With a broker of another version, runs those of messaging.
pub(crate) async fn test(
    workspace: &Workspace,
    broker: Option<&Path>,
    mut arguments: Vec<String>,
) -> anyhow::Result<ExitCode> {
    install::ensure(true, true).await?;
    let script = match broker {
        Some(dir) => install::rabbitmq_script_in(dir)?,
        None => install::rabbitmq_script()?,
    };
    if broker.is_some() && arguments.is_empty() {
        arguments = ["-p", "messaging"].map(str::to_owned).into();
    }
    let build = cargo(workspace).args(["build", "--workspace", "--bins", "--locked"]);
    // Without `--workspace`, which would overrule a `-p` among the arguments; it is cargo's default here.
    let test = cargo(workspace)
        .args(["test", "--locked"])
        .args(arguments)
        .env(ephemeral::BIN_DIR, workspace.target_dir().join("debug"));
    with_servers(Some(&script), async |servers| {
        servers.run(&[build, test]).await
    })
    .await
}

/// Runs the bench, with optimised binaries.
pub(crate) async fn bench(
    workspace: &Workspace,
    json: bool,
    compare: Option<PathBuf>,
) -> anyhow::Result<ExitCode> {
    // The bench runs in another directory.
    let compare = compare.map(|file| {
        file.canonicalize()
            .with_context(|| file.display().to_string())
    });
    let compare = compare.transpose()?;
    install::ensure(false, true).await?;
    let build = cargo(workspace).args(["build", "--release", "--locked", "--workspace", "--bins"]);
    // With `--workspace`, cargo resolves the same features as for the binaries, and compiles the bench alone.
    let bench = cargo(workspace)
        .args(["bench", "--locked", "--workspace", "--bench", "chain", "--"])
        .args(json.then_some("--json"))
        .args(
            compare
                .iter()
                .flat_map(|file| [OsStr::new("--compare"), file.as_os_str()]),
        )
        .env(ephemeral::BIN_DIR, workspace.target_dir().join("release"));
    let script = install::rabbitmq_script()?;
    with_servers(Some(&script), async |servers| {
        servers.run(&[build, bench]).await
    })
    .await
}

fn cargo(workspace: &Workspace) -> CommandSpec {
    CommandSpec::new("cargo").dir(&workspace.repository)
}
