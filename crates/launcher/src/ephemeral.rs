//! A PostgreSQL and a RabbitMQ that live as long as one command: for `test`, `bench`, `prepare` and `ephemeral exec`.

use crate::{
    command_spec::{CommandSpec, StopSignal},
    install,
    ports::{self, Ports},
    postgres::{self, Postgres},
    processes,
    rabbitmq::{LOGIN, RabbitMq, RabbitPorts},
    workspace::{Workspace, create_private},
};
use anyhow::{Context as _, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    time::Duration,
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
};
use uuid::Uuid;

/// The variable that names the directory of the programs under test.
pub(crate) const BIN_DIR: &str = "MEDTRACK_TEST_BIN_DIR";

/// PostgreSQL, and RabbitMQ where the command needs it, in a directory of their own.
pub(crate) struct Ephemeral {
    dir: PathBuf,
    pub(crate) postgres: Postgres,
    rabbitmq: Option<RabbitMq>,
}

/// The servers' processes, and how each is stopped.
type Children = Vec<(Child, StopSignal)>;

impl Ephemeral {
    async fn start(
        dir: &Path,
        rabbitmq_script: Option<&Path>,
        children: &mut Children,
    ) -> anyhow::Result<Self> {
        let mut taken = Ports::new();
        let mut port = |name: &str| -> anyhow::Result<u16> {
            let port = ports::any_free(&taken)?;
            taken.insert(name.to_owned(), port);
            Ok(port)
        };
        let mut spawn = |name: &str, program: &CommandSpec| -> anyhow::Result<()> {
            let log = File::create(dir.join(format!("{name}.log")))?;
            let child = program.spawn(Stdio::from(log.try_clone()?), Stdio::from(log));
            children.push((
                child.with_context(|| format!("cannot start {name}"))?,
                program.stop_signal,
            ));
            Ok(())
        };
        let mut rabbitmq = None;
        if let Some(script) = rabbitmq_script {
            let ports = RabbitPorts {
                amqp: port("amqp")?,
                management: port("management")?,
                prometheus: port("prometheus")?,
                distribution: port("distribution")?,
                epmd: port("epmd")?,
            };
            let broker = RabbitMq::prepare(script, dir, ports)?;
            spawn("epmd", &broker.epmd())?;
            broker.wait_for_epmd().await?;
            spawn("rabbitmq", &broker.server())?;
            rabbitmq = Some(broker);
        }
        let postgres = Postgres::prepare(dir, "medtrack", port("postgres")?).await?;
        spawn("postgres", &postgres.counting_server())?;
        Ok(Self {
            dir: dir.to_owned(),
            postgres,
            rabbitmq,
        })
    }

    async fn wait(&self) -> anyhow::Result<()> {
        self.postgres
            .wait()
            .await
            .with_context(|| self.log("postgres"))?;
        match &self.rabbitmq {
            Some(rabbitmq) => rabbitmq.wait().await.with_context(|| self.log("rabbitmq")),
            None => Ok(()),
        }
    }

    fn log(&self, server: &str) -> String {
        let text =
            std::fs::read_to_string(self.dir.join(format!("{server}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }

    /// Adds the servers' addresses, under the names that the tests read.
    fn addresses(&self, program: CommandSpec) -> CommandSpec {
        let program = program.env("MEDTRACK_TEST_DATABASE_URL", self.postgres.url("postgres"));
        let Some(rabbitmq) = &self.rabbitmq else {
            return program;
        };
        let (user, password) = LOGIN;
        let management = rabbitmq
            .management_url()
            .replace("://", &format!("://{user}:{password}@"));
        program
            .env("MEDTRACK_TEST_AMQP_URL", rabbitmq.amqp_url())
            .env("MEDTRACK_TEST_MANAGEMENT_URL", management)
    }

    /// Runs commands one after the other, until one fails.
    pub(crate) async fn run(&self, commands: &[CommandSpec]) -> anyhow::Result<ExitCode> {
        let mut code = 0;
        for (index, command) in commands.iter().enumerate() {
            // The servers start while the build runs; only the last command needs them.
            if index + 1 == commands.len() {
                self.wait().await?;
            }
            let mut command = self.addresses(command.clone()).with_parent_death_signal();
            let status = command
                .stdin(Stdio::inherit())
                .status()
                .await
                .context("cannot run the command")?;
            code = status.code().unwrap_or(1);
            if code != 0 {
                break;
            }
        }
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    }
}

/// Runs PostgreSQL, and RabbitMQ where its start script is given, while `work` runs. Stops them and removes their data however `work` ends: by itself, by a failure or
/// by a signal.
pub(crate) async fn with_servers<T>(
    rabbitmq_script: Option<&Path>,
    work: impl AsyncFnOnce(&Ephemeral) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let dir = std::env::temp_dir().join(format!("medtrack-{}", Uuid::new_v4()));
    create_private(&dir)?;
    let mut children = Children::new();
    let outcome = tokio::select! {
        outcome = async { work(&Ephemeral::start(&dir, rabbitmq_script, &mut children).await?).await } => outcome,
        _ = terminate.recv() => Err(anyhow!("stopped by a signal")),
        _ = interrupt.recv() => Err(anyhow!("stopped by a signal")),
    };
    stop(children).await;
    postgres::remove_outside(&dir);
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

async fn stop(mut children: Children) {
    let pid = |child: &Child| {
        child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .map(Pid::from_raw)
    };
    let servers: Vec<Pid> = children
        .iter()
        .filter_map(|(child, _)| pid(child))
        .collect();
    let others = processes::descendants(&servers);
    processes::signal(&others, Signal::SIGTERM);
    processes::wait_for_end(&others, Duration::from_secs(2)).await;
    for (child, stop_signal) in &children {
        if let Some(pid) = pid(child) {
            // RabbitMQ takes seconds to close its stores, and its data are removed anyway.
            let signal = if *stop_signal == StopSignal::Int {
                Signal::SIGINT
            } else {
                Signal::SIGKILL
            };
            let _ = kill(pid, signal);
        }
    }
    for (child, _) in &mut children {
        if tokio::time::timeout(Duration::from_secs(5), child.wait())
            .await
            .is_err()
        {
            let _ = child.kill().await;
        }
    }
}

/// Runs a command.
pub(crate) async fn exec(workspace: &Workspace, command: Vec<String>) -> anyhow::Result<ExitCode> {
    install::ensure(false, true).await?;
    let Some((program, arguments)) = command.split_first() else {
        bail!("no command is given")
    };
    let binaries = std::env::var_os(BIN_DIR);
    let binaries = binaries.unwrap_or_else(|| workspace.target_dir().join("debug").into());
    let command = CommandSpec::new(program)
        .args(arguments)
        .env(BIN_DIR, binaries);
    let script = install::rabbitmq_script()?;
    with_servers(Some(&script), async |servers| servers.run(&[command]).await).await
}

/// Runs a PostgreSQL alone while `work` runs.
pub(crate) async fn with_postgres<T>(
    work: impl AsyncFnOnce(&Postgres) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    install::ensure(false, true).await?;
    with_servers(None, async |servers| {
        servers.wait().await?;
        work(&servers.postgres).await
    })
    .await
}
