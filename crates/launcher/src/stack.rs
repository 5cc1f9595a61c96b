//! The end of a stack: `stop` and `reset`.

use crate::{
    control::{self, Request},
    workspace::Workspace,
};
use anyhow::{Context as _, bail};
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::Duration,
};

/// Stops a running stack, and waits until it is gone.
pub(crate) async fn stop(workspace: &Workspace) -> anyhow::Result<()> {
    if !workspace.state_dir.exists() || workspace.lock()?.is_some() {
        say!("nothing is running here");
        return Ok(());
    }
    match control::ask(workspace, &Request::Shutdown).await? {
        Some(Ok(text)) => say!("{text}"),
        Some(Err(text)) => bail!("{text}"),
        None => bail!(
            "the stack is just starting or ending (pid {}); try again",
            workspace.owner()
        ),
    }
    while workspace.lock()?.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Forgets everything: databases, queues, secrets, logs.
pub(crate) async fn reset(workspace: &Workspace, yes: bool) -> anyhow::Result<()> {
    if !workspace.state_dir.exists() {
        say!("there is nothing to forget");
        return Ok(());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("this forgets all data; try: ./medtrack reset --yes");
        }
        write!(
            std::io::stdout(),
            "Stop everything and forget all data in {}? [y/N] ",
            workspace.state_dir.display()
        )?;
        std::io::stdout().flush()?;
        let mut response = String::new();
        std::io::stdin().read_line(&mut response)?;
        if !response.trim().eq_ignore_ascii_case("y") {
            bail!("nothing was done");
        }
    }
    stop(workspace).await?;
    crate::supervisor::end_leftovers(workspace).await;
    crate::postgres::forget(&workspace.state_dir);
    std::fs::remove_dir_all(&workspace.state_dir)
        .with_context(|| format!("cannot remove {}", workspace.state_dir.display()))?;
    say!("All data are gone");
    Ok(())
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(workspace: &Workspace) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.repository.join("target"), PathBuf::from)
}
