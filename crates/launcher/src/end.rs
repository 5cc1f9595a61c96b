//! The end of a stack: `stop` and `reset`.

use crate::{
    control::{self, Request},
    output::say,
    postgres, supervisor,
    workspace::Workspace,
};
use anyhow::{Context as _, bail};
use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

/// Stops a running stack, and waits until it has ended.
pub(crate) async fn stop(workspace: &Workspace) -> anyhow::Result<()> {
    if !workspace.is_running()? {
        say("the system does not run here; try: ./medtrack up");
        return Ok(());
    }
    match control::call(workspace, &Request::Shutdown).await? {
        Some(Ok(text)) => say(&text),
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

/// Stops the stack and removes everything: databases, queues, secrets, logs.
pub(crate) async fn reset(workspace: &Workspace, yes: bool) -> anyhow::Result<()> {
    if !workspace.state_dir.exists() {
        say("there are no data to remove");
        return Ok(());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("this removes all data; try: ./medtrack reset --yes");
        }
        write!(
            std::io::stdout(),
            "Stop everything and remove all data in {}? [y/N] ",
            workspace.state_dir.display()
        )?;
        std::io::stdout().flush()?;
        let mut response = String::new();
        std::io::stdin().read_line(&mut response)?;
        if !response.trim().eq_ignore_ascii_case("y") {
            bail!("nothing is changed");
        }
    }
    stop(workspace).await?;
    supervisor::end_leftovers(workspace).await;
    postgres::remove_outside(&workspace.state_dir);
    std::fs::remove_dir_all(&workspace.state_dir)
        .with_context(|| format!("cannot remove {}", workspace.state_dir.display()))?;
    say("All data are removed");
    Ok(())
}
