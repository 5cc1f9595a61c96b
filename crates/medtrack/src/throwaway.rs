//! A PostgreSQL and a RabbitMQ that live as long as one command: for tests, for the bench, for `stack exec`.

use crate::{
    home::{Home, create_private},
    install,
    ports::{self, Ports},
    postgres::Postgres,
    program::{Farewell, Program},
    rabbitmq::{LOGIN, RabbitMq, RabbitPorts},
    stack::target_folder,
};
use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    path::PathBuf,
    process::{ExitCode, Stdio},
    time::Duration,
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
};

/// Both servers; gone when it is dropped.
struct Throwaway {
    folder: PathBuf,
    postgres: Postgres,
    rabbitmq: Option<RabbitMq>,
    children: Vec<(Child, Farewell)>,
}

impl Throwaway {
    async fn start(with_rabbitmq: bool) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("medtrack-{}", uuid::Uuid::new_v4()));
        create_private(&folder)?;
        let mut taken = Ports::new();
        let mut port = |name: &str| -> anyhow::Result<u16> {
            let port = ports::any_free(&taken)?;
            taken.insert(name.to_owned(), port);
            Ok(port)
        };
        let postgres = Postgres::prepare(&folder, "medtrack", port("postgres")?).await?;
        let mut this = Self { folder, postgres, rabbitmq: None, children: Vec::new() };
        let server = this.postgres.server();
        this.spawn("postgres", &server)?;
        if with_rabbitmq {
            let ports = RabbitPorts {
                amqp: port("amqp")?,
                management: port("management")?,
                prometheus: port("prometheus")?,
                distribution: port("distribution")?,
                epmd: port("epmd")?,
            };
            let rabbitmq = RabbitMq::prepare(&this.folder, ports)?;
            this.spawn("epmd", &rabbitmq.epmd())?;
            this.spawn("rabbitmq", &rabbitmq.server())?;
            this.rabbitmq = Some(rabbitmq);
        }
        Ok(this)
    }

    async fn wait(&self) -> anyhow::Result<()> {
        self.postgres.wait().await?;
        if let Some(rabbitmq) = &self.rabbitmq {
            rabbitmq.wait().await?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, program: &Program) -> anyhow::Result<()> {
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let child = program.spawn(Stdio::from(log.try_clone()?), Stdio::from(log));
        self.children.push((child.with_context(|| format!("cannot start {name}"))?, program.farewell));
        Ok(())
    }

    /// The servers' addresses, under the names that the tests know.
    fn addresses(&self, program: Program) -> Program {
        let program = program.env("MEDTRACK_TEST_DATABASE_URL", self.postgres.url("postgres"));
        let Some(rabbitmq) = &self.rabbitmq else { return program };
        let (user, password) = LOGIN;
        let management = rabbitmq.management_url().replace("://", &format!("://{user}:{password}@"));
        program
            .env("MEDTRACK_TEST_AMQP_URL", rabbitmq.amqp_url())
            .env("MEDTRACK_TEST_MANAGEMENT_URL", management)
    }

    async fn stop(&mut self) {
        for (child, farewell) in &self.children {
            if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
                // Nothing of RabbitMQ's is kept: it need not close its stores for seconds.
                let signal = if *farewell == Farewell::Int { Signal::SIGINT } else { Signal::SIGKILL };
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
        for (child, _) in &mut self.children {
            if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// All tests.
pub(crate) async fn test(home: &Home, arguments: Vec<String>) -> anyhow::Result<ExitCode> {
    install::ensure(true, true).await?;
    let servers = Throwaway::start(true).await?;
    let build = cargo(home).args(["build", "--workspace", "--bins", "--locked", "--quiet"]);
    let test = cargo(home)
        .args(["test", "--workspace", "--locked"])
        .args(arguments)
        .env("MEDTRACK_TEST_BIN_DIR", target_folder(home).join("debug"));
    run(servers, &[build, test]).await
}

/// The bench: optimised binaries.
pub(crate) async fn bench(home: &Home) -> anyhow::Result<ExitCode> {
    install::ensure(false, true).await?;
    let servers = Throwaway::start(true).await?;
    let build = cargo(home).args(["build", "--workspace", "--bins", "--release", "--locked"]);
    let bench = cargo(home)
        .args(["bench", "--locked", "-p", "system-tests", "--bench", "chain"])
        .env("MEDTRACK_TEST_BIN_DIR", target_folder(home).join("release"));
    run(servers, &[build, bench]).await
}

/// Any command.
pub(crate) async fn exec(command: Vec<String>) -> anyhow::Result<ExitCode> {
    install::ensure(false, true).await?;
    let servers = Throwaway::start(true).await?;
    let Some((program, arguments)) = command.split_first() else { bail!("name a command") };
    run(servers, &[Program::new(program).args(arguments)]).await
}

/// A PostgreSQL alone, while `work` goes on.
pub(crate) async fn with_postgres<T>(
    work: impl AsyncFnOnce(&Postgres) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    install::ensure(false, true).await?;
    let mut servers = Throwaway::start(false).await?;
    let outcome = match servers.wait().await {
        Ok(()) => work(&servers.postgres).await,
        Err(error) => Err(error),
    };
    servers.stop().await;
    outcome
}

/// Runs commands one after the other while the servers live; the first failure ends it.
async fn run(mut servers: Throwaway, commands: &[Program]) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let work = async {
        let mut code = 0;
        for (index, command) in commands.iter().enumerate() {
            // The servers start while the build goes on.
            if index + 1 == commands.len() {
                servers.wait().await?;
            }
            let status = servers
                .addresses(command.clone())
                .command()
                .status()
                .await
                .context("cannot run the command")?;
            code = status.code().unwrap_or(1);
            if code != 0 {
                break;
            }
        }
        anyhow::Ok(u8::try_from(code).unwrap_or(1))
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        _ = terminate.recv() => Ok(143),
        _ = interrupt.recv() => Ok(130),
    };
    servers.stop().await;
    Ok(ExitCode::from(outcome?))
}

fn cargo(home: &Home) -> Program {
    Program::new("cargo").folder(&home.root)
}
