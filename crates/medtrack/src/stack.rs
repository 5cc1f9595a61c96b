//! The end of a stack: `stop` and `reset`.

use crate::{
    control::{self, Request},
    home::Home,
};
use anyhow::{Context as _, bail};
use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    time::Duration,
};

/// Stops a running stack, and waits until it is gone.
pub(crate) async fn stop(home: &Home) -> anyhow::Result<()> {
    if !home.folder.exists() || home.lock()?.is_some() {
        say!("nothing is running here");
        return Ok(());
    }
    match control::ask(home, &Request::Shutdown).await? {
        Some(Ok(text)) => say!("{text}"),
        Some(Err(text)) => bail!("{text}"),
        None => bail!("the stack is just starting or ending (pid {}); try again", home.owner()),
    }
    while home.lock()?.is_none() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Forgets everything: databases, queues, secrets, logs.
pub(crate) async fn reset(home: &Home, yes: bool) -> anyhow::Result<()> {
    if !home.folder.exists() {
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
            home.folder.display()
        )?;
        std::io::stdout().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !answer.trim().eq_ignore_ascii_case("y") {
            bail!("nothing was done");
        }
    }
    stop(home).await?;
    crate::supervisor::end_leftovers(home).await;
    crate::postgres::forget(&home.folder);
    std::fs::remove_dir_all(&home.folder)
        .with_context(|| format!("cannot remove {}", home.folder.display()))?;
    say!("All data are gone");
    Ok(())
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder(home: &Home) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| home.root.join("target"), PathBuf::from)
}
