//! `up`: starts the stack and runs it, in this terminal or in the background.

mod addresses;
mod admin;
mod run;
mod scale;
mod start;

pub(crate) use admin::create_admin;

use crate::{
    command_spec::CommandSpec,
    commands::Up,
    control::{self, Request},
    install, logs,
    output::say,
    supervisor::Supervisor,
    workspace::Workspace,
};
use anyhow::bail;
use nix::{
    fcntl::Flock,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs::File, process::Stdio, time::Duration};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
};

/// Set for the launcher in the background, which writes the units' lines to their logs only.
const DETACHED: &str = "MEDTRACK_DETACHED";

/// Runs the stack in this terminal, until Ctrl-C.
pub(crate) async fn foreground(workspace: &Workspace, options: &Up) -> anyhow::Result<()> {
    scale::processes_of_consumers(&options.scale)?;
    workspace.create()?;
    let Some(_lock) = lock(workspace, options).await? else {
        return Ok(());
    };
    install::ensure(true, !options.no_install).await?;
    let in_terminal = std::env::var_os(DETACHED).is_none();
    let mut supervisor = Supervisor::new(workspace, in_terminal);
    let mut calls = control::listen(workspace)?;
    let outcome = run::run(workspace, options, &mut supervisor, &mut calls).await;
    if outcome.is_err() {
        supervisor.kill_all().await;
    }
    let _ = std::fs::remove_file(workspace.socket());
    outcome
}

/// Starts the stack in the background; returns when it is ready.
pub(crate) async fn detached(workspace: &Workspace, options: &Up) -> anyhow::Result<()> {
    scale::processes_of_consumers(&options.scale)?;
    workspace.create()?;
    let Some(running) = lock(workspace, options).await? else {
        return Ok(());
    };
    drop(running);
    install::ensure(true, !options.no_install).await?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let log = logs::open(&workspace.log("launcher"))?;
    let scale = options
        .scale
        .iter()
        .map(|scale| format!("--scale={}={}", scale.unit, scale.processes));
    // In a session of its own, so that closing this terminal does not reach it.
    let launcher = CommandSpec::new("setsid")
        .arg(std::env::current_exe()?)
        .arg("up")
        .args(scale)
        .env(DETACHED, "1");
    let mut child = launcher
        .command()
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log))
        .spawn()?;
    say("Starting in the background (./medtrack logs launcher)");
    tokio::select! {
        ready = wait_until_ready(workspace, &mut child) => say(&ready?),
        _ = interrupt.recv() => {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
            child.wait().await?;
            bail!("stopped by a signal while starting");
        }
    }
    Ok(())
}

/// Returns the addresses of the stack that a launcher in the background starts, once everything is ready.
async fn wait_until_ready(workspace: &Workspace, launcher: &mut Child) -> anyhow::Result<String> {
    loop {
        if let Some(Ok(addresses)) = control::call(workspace, &Request::Ready).await? {
            return Ok(addresses);
        }
        if let Some(status) = launcher.try_wait()? {
            bail!(
                "the stack did not start ({status}):\n{}",
                logs::last_lines(workspace, "launcher", 20)
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Makes this process the one that runs the stack. When another process runs it, changes the number of its processes or
/// prints its addresses, and returns `None`.
async fn lock(workspace: &Workspace, options: &Up) -> anyhow::Result<Option<Flock<File>>> {
    for _ in 0..60 {
        if let Some(lock) = workspace.lock()? {
            return Ok(Some(lock));
        }
        if let Some(Ok(addresses)) = control::call(workspace, &Request::Ready).await? {
            if !options.scale.is_empty() {
                let scale = scale::processes_of_consumers(&options.scale)?;
                control::send(workspace, &Request::Scale(scale)).await?;
                return Ok(None);
            }
            say(&format!(
                "already running (pid {})\n{addresses}",
                workspace.owner()
            ));
            return Ok(None);
        }
        // The other one is just starting or just ending.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!(
        "another launcher holds {} (pid {}) and does not respond",
        workspace.path("lock").display(),
        workspace.owner()
    )
}
