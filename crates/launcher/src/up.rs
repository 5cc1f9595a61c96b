//! `up`: from a bare machine to a box of addresses.

use crate::{
    command_spec::CommandSpec,
    commands::Up,
    control::{self, Call, Reply, Request},
    install, logs,
    ports::{self, Ports},
    postgres::{self, Postgres},
    rabbitmq::{LOGIN, RabbitMq, RabbitPorts},
    stack,
    supervisor::{Supervisor, end_leftovers},
    units::{self, Ready, SERVICES, Tier},
    workspace::{Workspace, write_private},
};
use anyhow::{Context as _, bail};
use nix::fcntl::Flock;
use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// How long `restart` waits until what it started is ready. A broker takes about 8 s.
const RESTART: Duration = Duration::from_secs(30);

/// Runs the stack in this terminal, until Ctrl-C.
pub(crate) async fn foreground(workspace: &Workspace, options: &Up) -> anyhow::Result<()> {
    workspace.create()?;
    let Some(_lock) = lock(workspace).await? else {
        return Ok(());
    };
    install::ensure(true, !options.no_install).await?;
    let mut supervisor =
        Supervisor::new(workspace, std::env::var_os("MEDTRACK_DETACHED").is_none());
    let mut calls = control::listen(workspace)?;
    let outcome = run(workspace, options, &mut supervisor, &mut calls).await;
    if outcome.is_err() {
        supervisor.kill_all().await;
    }
    let _ = std::fs::remove_file(workspace.socket());
    outcome
}

async fn run(
    workspace: &Workspace,
    options: &Up,
    supervisor: &mut Supervisor,
    calls: &mut mpsc::Receiver<Call>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut asked = None;
    let mut waiting = Vec::new();
    let addresses = tokio::select! {
        started = start(workspace, options, supervisor) => started?,
        reply = until_shutdown(calls, &mut waiting) => {
            supervisor.kill_all().await;
            return stop_signal(Some(reply), Ok("Stopped while starting".to_owned())).await;
        }
        _ = terminate.recv() => bail!("told to stop while starting"),
        _ = interrupt.recv() => bail!("told to stop while starting"),
    };
    say!("{addresses}");
    for reply in waiting {
        let _ = reply.send(Ok(addresses.clone()));
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            ended = supervisor.next_end() => {
                if let Some(ended) = ended {
                    supervisor.note_end(&ended);
                }
                supervisor.start_due();
            }
            Some((request, reply)) = calls.recv() => {
                let response = match request {
                    Request::Shutdown => {
                        asked = Some(reply);
                        break;
                    }
                    Request::Ps => Ok(supervisor.table()),
                    Request::Ready => Ok(addresses.clone()),
                    Request::Stop(names) => {
                        let stopped = supervisor.stop(&names).await;
                        stopped.map(|()| format!("stopped: {}", names.join(", ")))
                    }
                    Request::Restart(names) => match supervisor.restart(&names).await {
                        Ok(started) => {
                            // Others need not wait until these are ready.
                            tokio::spawn(tell_when_ready(workspace.clone(), started, reply));
                            continue;
                        }
                        Err(error) => Err(error),
                    },
                };
                let _ = reply.send(response.map_err(|error| format!("{error:#}")));
            }
        }
    }
    eprintln!("Stopping (Ctrl-C again kills)");
    let backing: Vec<String> = supervisor
        .names(Tier::Backing)
        .into_iter()
        .filter(|name| name != "epmd")
        .collect();
    let system = supervisor.names(Tier::System);
    let stop = async {
        supervisor.stop(&system).await?;
        supervisor.stop(&backing).await?;
        supervisor.stop(&["epmd".to_owned()]).await
    };
    let stopped = tokio::select! {
        stopped = stop => stopped,
        _ = interrupt.recv() => Err(anyhow::anyhow!("killed")),
    };
    if stopped.is_err() {
        supervisor.kill_all().await;
    }
    stop_signal(asked, stopped.map(|()| "Stopped; data stay".to_owned())).await
}

/// Answers while the stack starts: "ready" later, everything else not now. Comes back when told to stop.
async fn until_shutdown(calls: &mut mpsc::Receiver<Call>, waiting: &mut Vec<Reply>) -> Reply {
    loop {
        match calls.recv().await {
            Some((Request::Shutdown, reply)) => return reply,
            Some((Request::Ready, reply)) => waiting.push(reply),
            Some((_, reply)) => {
                let _ = reply.send(Err(
                    "the stack is still starting; try again when it is ready".into(),
                ));
            }
            None => std::future::pending().await,
        }
    }
}

/// The last answer of this process.
async fn stop_signal(asked: Option<Reply>, outcome: anyhow::Result<String>) -> anyhow::Result<()> {
    if let Some(reply) = asked {
        let response = outcome
            .as_ref()
            .map(String::clone)
            .map_err(|error| format!("{error:#}"));
        let _ = reply.send(response);
        // Let the answer reach the other terminal before this process is gone.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    outcome.map(drop)
}

async fn tell_when_ready(workspace: Workspace, started: Vec<(String, Ready)>, reply: Reply) {
    let deadline = Instant::now() + RESTART;
    for (name, ready) in &started {
        while !units::is_ready(*ready).await {
            if Instant::now() > deadline {
                let last = logs::last_lines(&workspace, name, 5);
                let _ = reply.send(Err(format!(
                    "{name} is started, and not ready after {} s; its last lines:\n{last}\n\
                     try: ./medtrack ps, ./medtrack logs {name}",
                    RESTART.as_secs()
                )));
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let names: Vec<String> = started.into_iter().map(|(name, _)| name).collect();
    let _ = reply.send(Ok(format!("restarted: {}", names.join(", "))));
}

/// Starts everything; tells the addresses.
async fn start(
    workspace: &Workspace,
    options: &Up,
    supervisor: &mut Supervisor,
) -> anyhow::Result<String> {
    let began = Instant::now();
    end_leftovers(workspace).await;
    let mut scale = BTreeMap::new();
    for (unit, number) in &options.scale {
        let name = units::full_name(unit);
        if !SERVICES
            .iter()
            .any(|service| name == format!("{}-consumer", service.name))
        {
            bail!(
                "{unit} cannot be scaled; consumers can: auth-consumer, profile-consumer, comm-consumer"
            );
        }
        scale.insert(name, *number);
    }
    let wanted = units::wanted_ports(&scale);
    let wanted: Vec<(&str, Option<u16>)> = wanted
        .iter()
        .map(|(name, usual)| (name.as_str(), *usual))
        .collect();
    let ports = ports::choose(workspace, &wanted)?;

    let superuser = workspace.secret("postgres-superuser")?;
    let rabbitmq = RabbitMq::prepare(&workspace.state_dir, rabbit_ports(&ports))?;
    let postgres = Postgres::prepare(&workspace.state_dir, &superuser, ports["postgres"]).await?;
    // RabbitMQ takes longest: it starts first, and everything else happens meanwhile.
    for unit in units::backing(&postgres, &rabbitmq, &ports) {
        let is_epmd = unit.name == "epmd";
        supervisor.add(unit)?;
        if is_epmd {
            rabbitmq.wait_for_epmd().await?;
        }
    }
    let binaries = build(workspace).await?;
    // It may end before it listens: what a killed server held is not always free at once.
    supervisor
        .wait_ready(&["postgres".to_owned()], Duration::from_secs(60))
        .await?;
    postgres.wait().await?;
    let mut databases = Vec::new();
    for service in &SERVICES {
        databases.push((
            service.database,
            service.role,
            workspace.secret(service.role)?,
        ));
    }
    postgres.create_databases(&databases).await?;
    write_private(
        &workspace.path("env"),
        &environment(workspace, &ports, &rabbitmq.amqp_url())?,
    )?;
    for service in &SERVICES {
        let migrate = units::service_program(workspace, &binaries, service, &ports, "migrate")?;
        let output = migrate
            .with_parent_death_signal()
            .output()
            .await
            .with_context(|| format!("cannot run {}", service.name))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            bail!("{} migrate failed:\n{}", service.name, said.trim());
        }
    }
    let system = units::system(workspace, &binaries, &ports, &rabbitmq.amqp_url(), &scale)?;
    let names: Vec<String> = system.iter().map(|unit| unit.name.clone()).collect();
    for unit in system {
        supervisor.add(unit)?;
    }
    supervisor
        .wait_ready(&names, Duration::from_secs(60))
        .await?;
    rabbitmq.wait().await?;
    Ok(addresses(&ports, began.elapsed()))
}

fn rabbit_ports(ports: &Ports) -> RabbitPorts {
    RabbitPorts {
        amqp: ports["amqp"],
        management: ports["management"],
        prometheus: ports["prometheus"],
        distribution: ports["distribution"],
        epmd: ports["epmd"],
    }
}

/// Builds the three binaries, unless MEDTRACK_BIN_DIR says where they are.
async fn build(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("MEDTRACK_BIN_DIR") {
        return Ok(dir.into());
    }
    say!("Building (the first time takes some minutes)");
    let cargo = CommandSpec::new("cargo")
        .args(["build", "--release", "--locked", "--quiet"])
        .args(SERVICES.iter().flat_map(|service| ["-p", service.name]))
        .dir(&workspace.repository);
    let status = cargo
        .with_parent_death_signal()
        .status()
        .await
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the build failed; see above");
    }
    Ok(stack::target_dir(workspace).join("release"))
}

/// `.medtrack/env`: addresses as shell assignments.
fn environment(workspace: &Workspace, ports: &Ports, amqp_url: &str) -> anyhow::Result<String> {
    let http = |port: &str| format!("http://127.0.0.1:{}", ports[port]);
    let (user, password) = LOGIN;
    let mut lines = vec![
        ("GATEWAY_URL".to_owned(), http("gateway")),
        ("AMQP_URL".to_owned(), amqp_url.to_owned()),
        (
            "RABBITMQ_MANAGEMENT_URL".to_owned(),
            format!("http://{user}:{password}@127.0.0.1:{}", ports["management"]),
        ),
    ];
    for service in &SERVICES {
        let word = service.role.trim_end_matches("_service").to_uppercase();
        let url = postgres::url(
            service.role,
            &workspace.secret(service.role)?,
            ports["postgres"],
            service.database,
        );
        lines.push((format!("{word}_URL"), http(service.name)));
        lines.push((format!("{word}_DATABASE_URL"), url));
        lines.push((
            format!("{word}_INTERNAL_URL"),
            http(&format!("{}-internal", service.name)),
        ));
        lines.push((
            format!("{word}_CONSUMER_INTERNAL_URL"),
            http(&format!("{}-consumer-internal", service.name)),
        ));
    }
    lines.sort();
    Ok(lines
        .into_iter()
        .map(|(name, value)| format!("{name}='{value}'\n"))
        .collect())
}

fn addresses(ports: &Ports, took: Duration) -> String {
    let (user, password) = LOGIN;
    let lines = [
        format!("MedTrack is ready ({:.1} s)", took.as_secs_f64()),
        String::new(),
        format!(
            "API        http://localhost:{}/auth /profile /comm",
            ports["gateway"]
        ),
        format!(
            "RabbitMQ   http://localhost:{}  ({user} / {password})",
            ports["management"]
        ),
        format!(
            "PostgreSQL 127.0.0.1:{}  auth_db profile_db comm_db",
            ports["postgres"]
        ),
        "Addresses  .medtrack/env".to_owned(),
        String::new(),
        "./medtrack ps | logs -f [unit] | restart <unit> | stop".to_owned(),
    ];
    let width = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or_default();
    let rule = "─".repeat(width + 2);
    let body: String = lines
        .iter()
        .map(|line| format!("│ {line:<width$} │\n"))
        .collect();
    format!("╭{rule}╮\n{body}╰{rule}╯")
}

/// Starts the stack in the background; returns when it is ready.
pub(crate) async fn detached(workspace: &Workspace, options: &Up) -> anyhow::Result<()> {
    workspace.create()?;
    if lock(workspace).await?.is_none() {
        return Ok(());
    }
    install::ensure(true, !options.no_install).await?;
    let log = File::create(workspace.log("launcher"))?;
    let scale = options
        .scale
        .iter()
        .map(|(unit, number)| format!("--scale={unit}={number}"));
    // A session of its own: closing this terminal must not reach it.
    let launcher = CommandSpec::new("setsid")
        .arg(std::env::current_exe()?)
        .arg("up")
        .args(scale)
        .env("MEDTRACK_DETACHED", "1");
    let mut child = launcher
        .command()
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log))
        .spawn()?;
    say!("Starting in the background (./medtrack logs launcher)");
    loop {
        if let Some(Ok(addresses)) = control::ask(workspace, &Request::Ready).await? {
            say!("{addresses}");
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!(
                "it did not start ({status}):\n{}",
                logs::last_lines(workspace, "launcher", 20)
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Makes this process the one that runs the stack; when another one does, says so.
async fn lock(workspace: &Workspace) -> anyhow::Result<Option<Flock<File>>> {
    for _ in 0..60 {
        if let Some(lock) = workspace.lock()? {
            return Ok(Some(lock));
        }
        if let Some(Ok(addresses)) = control::ask(workspace, &Request::Ready).await? {
            say!("already running (pid {})\n{addresses}", workspace.owner());
            return Ok(None);
        }
        // It is dying, or has just begun.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!(
        "another launcher holds {} (pid {}) and does not answer",
        workspace.path("lock").display(),
        workspace.owner()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_addresses() {
        let dir = std::env::temp_dir().join(format!("medtrack-env-{}", uuid::Uuid::new_v4()));
        let workspace = Workspace {
            repository: dir.clone(),
            state_dir: dir,
        };
        workspace.create().expect("a new dir can be made");
        let wanted = units::wanted_ports(&BTreeMap::new());
        let ports: Ports = wanted
            .into_iter()
            .zip(1000..)
            .map(|((name, _), port)| (name, port))
            .collect();
        let text = environment(&workspace, &ports, "amqp://a:b@127.0.0.1:1/%2f")
            .expect("every address has a port");
        let script = format!("{text} echo \"$GATEWAY_URL $AMQP_URL $COMM_DATABASE_URL\"");
        let said = std::process::Command::new("sh")
            .args(["-euc", &script])
            .output()
            .expect("there is a shell");
        let secret = workspace
            .secret("comm_service")
            .expect("a secret is made at its first use");
        let expected = format!(
            "http://127.0.0.1:{} amqp://a:b@127.0.0.1:1/%2f postgres://comm_service:{secret}@127.0.0.1:{}/comm_db\n",
            ports["gateway"], ports["postgres"]
        );
        assert_eq!(String::from_utf8_lossy(&said.stdout), expected);
        std::fs::remove_dir_all(workspace.state_dir).expect("it is ours");
    }
}
