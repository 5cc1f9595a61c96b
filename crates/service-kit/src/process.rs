//! One start for every role, and one stop in two steps: told to stop, a process finishes what it has in hand;
//! ten seconds later whatever still runs is cancelled.

use crate::{config::LogConfig, telemetry};
use clap::{Parser, error::ErrorKind};
use futures_util::FutureExt as _;
use std::{
    future::Future,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a process may take to finish what it has in hand.
const DRAIN: Duration = Duration::from_secs(10);
/// How long cancelled tasks may take to notice.
const CANCEL: Duration = Duration::from_secs(2);

/// Reads `.env` where there is one, then the command line; on nonsense says so and exits with 2.
pub fn parse<C: Parser>() -> C {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => {
            let cause = match error {
                dotenvy::Error::LineParse(line, _) => malformed(&line),
                error => error.to_string(),
            };
            let message = format!("cannot read .env: {cause}; compare it with .env.example\n");
            C::command().error(ErrorKind::Io, message).exit()
        }
        _ => C::parse(),
    }
}

/// The parser's own text quotes the line, and that may hold a password.
fn malformed(line: &str) -> String {
    let is_name = |name: &&str| {
        name.chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    match line
        .split_once('=')
        .map(|(name, _)| name.trim())
        .filter(is_name)
    {
        Some(name) => format!("the value of {name} must stand in quotes"),
        None => "a line is not of the form NAME=\"value\"".into(),
    }
}

/// A running process, as its tasks see it.
#[derive(Clone, Debug)]
pub struct Process {
    stopping: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Process {
    /// Trips when the process shall stop: take nothing new, finish what is in hand, return.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Runs a task for the life of the process. When it ends before the process is told to stop, the process
    /// stops and fails: half a service is worse than a restart.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let process = self.clone();
        self.tasks.spawn(async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            let cause = match outcome {
                Ok(Ok(())) if process.stopping.is_cancelled() => return,
                Ok(Ok(())) => "it ended by itself".to_owned(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "it panicked".to_owned(),
            };
            tracing::error!("Stopping, because the task {name:?} failed: {cause}");
            process.failed.store(true, Ordering::Relaxed);
            process.stopping.cancel();
        });
    }
}

/// Runs a role until it ends, or until SIGTERM or SIGINT. The exit code tells whether all went well.
pub fn run<F, R>(log: &LogConfig, role: F) -> ExitCode
where
    F: FnOnce(Process) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let started = telemetry::init(log).and_then(|()| {
        Ok(tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?)
    });
    let runtime = match started {
        Ok(runtime) => runtime,
        Err(error) => clap::Error::raw(ErrorKind::Io, format!("{error:#}\n")).exit(),
    };
    let code = runtime.block_on(supervise(role));
    runtime.shutdown_timeout(CANCEL);
    code
}

async fn supervise<F, R>(role: F) -> ExitCode
where
    F: FnOnce(Process) -> R,
    R: Future<Output = anyhow::Result<()>>,
{
    let process = Process {
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        failed: Arc::default(),
    };
    if let Err(error) = stop_on_signals(process.stopping.clone()) {
        tracing::error!("Signals cannot be heard: {error}");
        return ExitCode::FAILURE;
    }
    let stopping = process.stopping.clone();
    let deadline = async {
        stopping.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let work = async {
        let outcome = role(process.clone()).await;
        process.stopping.cancel();
        process.tasks.close();
        process.tasks.wait().await;
        outcome
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = deadline => Err(anyhow::anyhow!("what was in hand took longer than {} s", DRAIN.as_secs())),
    };
    if let Err(error) = &outcome {
        tracing::error!("Stopped: {error:#}");
    }
    if outcome.is_err() || process.failed.load(Ordering::Relaxed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A process that runs as PID 1 gets no default action for a signal, so both must be handled.
fn stop_on_signals(stopping: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("Stopping: finishing what is in hand");
        stopping.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_line_of_the_env_file_is_named_but_not_quoted() {
        assert_eq!(
            malformed("DATABASE_URL=postgres://u:p w@h/d"),
            "the value of DATABASE_URL must stand in quotes"
        );
        assert!(!malformed("continuedSecret==").contains("continued"));
    }
}
