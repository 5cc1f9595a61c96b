//! The start and the stop of every process. After the first signal the process takes nothing new and finishes the
//! work in hand, last of all the tasks that others hand work to; ten seconds after the signal, the tasks that still run
//! are cancelled. A second signal ends it at once.

use crate::{config::LogConfig, telemetry};
use clap::{Subcommand, error::ErrorKind};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, LocalBoxFuture},
};
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

/// Reads `.env` where there is one, then the command line. Prints what is wrong and exits with 2.
pub(crate) fn parse<C: Subcommand>(mut command: clap::Command) -> C {
    if let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        let cause = match error {
            dotenvy::Error::LineParse(line, _) => malformed(&line),
            error => error.to_string(),
        };
        let message = format!("cannot read .env: {cause}; compare it with .env.example\n");
        command.error(ErrorKind::Io, message).exit()
    }
    let matches = command.get_matches_mut();
    C::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// Describes the line without quoting it, as the parser's own message does: the line may hold a password.
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
    finishing: CancellationToken,
    last_tasks: TaskTracker,
    failed: Arc<AtomicBool>,
}

impl Process {
    /// Is cancelled when the process stops: a task then takes nothing new, finishes the work in hand, and returns.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Is cancelled when the process stops and all tasks but the last ones have ended: no task hands work to the last ones
    /// any more.
    pub fn finishing(&self) -> CancellationToken {
        self.finishing.clone()
    }

    /// Runs a task for the life of the process. When the task ends before the process stops, the process stops
    /// and fails, because a restart brings the missing task back.
    pub fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.spawn_among(&self.tasks, name, Box::pin(task));
    }

    /// Runs a task as [`Process::spawn`] does, to which other tasks hand work until they end. It returns after
    /// [`Process::finishing`].
    pub fn spawn_last(
        &self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.spawn_among(&self.last_tasks, name, Box::pin(task));
    }

    fn spawn_among(
        &self,
        tasks: &TaskTracker,
        name: &'static str,
        task: BoxFuture<'static, anyhow::Result<()>>,
    ) {
        let process = self.clone();
        tasks.spawn(async move {
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

/// Runs a role until it ends, or until SIGTERM or SIGINT. The exit code says whether it succeeded.
pub fn run<'a, F, R>(log: &LogConfig, role: F) -> ExitCode
where
    F: FnOnce(Process) -> R + 'a,
    R: Future<Output = anyhow::Result<()>> + 'a,
{
    run_boxed(log, Box::new(|process| role(process).boxed_local()))
}

type Role<'a> = Box<dyn FnOnce(Process) -> LocalBoxFuture<'a, anyhow::Result<()>> + 'a>;

/// Boxed, so that the compiler translates it once, and not for each role of each program.
fn run_boxed(log: &LogConfig, role: Role<'_>) -> ExitCode {
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

async fn supervise(role: Role<'_>) -> ExitCode {
    let process = Process {
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        finishing: CancellationToken::new(),
        last_tasks: TaskTracker::new(),
        failed: Arc::default(),
    };
    if let Err(error) = stop_on_signals(process.stopping.clone()) {
        tracing::error!("Signals cannot be received: {error}");
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
        process.finishing.cancel();
        process.last_tasks.close();
        process.last_tasks.wait().await;
        outcome
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = deadline => Err(anyhow::anyhow!("the work in hand took longer than {} s", DRAIN.as_secs())),
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

/// The first signal stops the process, a second one ends it at once. A process that runs as PID 1 gets no
/// default action for a signal, so both signals are handled here.
fn stop_on_signals(stopping: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    tokio::spawn(async move {
        next().await;
        tracing::info!("Stopping: finishing the work in hand");
        stopping.cancel();
        next().await;
        tracing::error!("Stopped at once, because a second signal came");
        std::process::exit(1);
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
