//! `create-admin`: auth-service's command, with the database of the running stack.

use crate::workspace::{self, Workspace};
use anyhow::{Context as _, Error, bail};
use events::topology::AUTH;
use std::{fs, os::unix::process::CommandExt as _, process::Command};

/// Becomes auth-service's command. Returns only when it cannot be started.
pub(crate) fn create_admin(workspace: &Workspace, email: &str) -> Error {
    match command(workspace, email) {
        Ok(mut command) => Error::from(command.exec()).context("auth-service cannot be started"),
        Err(error) => error,
    }
}

fn command(workspace: &Workspace, email: &str) -> anyhow::Result<Command> {
    if !workspace.is_running()? {
        bail!("the system does not run here; try: ./medtrack up");
    }
    let addresses = fs::read_to_string(workspace.path("env"))
        .context("the addresses cannot be read; try: ./medtrack up")?;
    let mut lines = addresses.lines().filter_map(|line| line.split_once('='));
    let (_, url) = lines
        .find(|(name, _)| *name == "AUTH_DATABASE_URL")
        .context("the address of the database is not known; try: ./medtrack up")?;
    let mut command = Command::new(workspace::binaries()?.join(AUTH.name));
    command
        .args(["create-admin", "--email", email])
        .env("DATABASE_URL", url.trim_matches('\''));
    Ok(command)
}
