//! The start of a stack: ports, servers, databases, migrations, then the services and the gateway.

use super::{addresses, scale::processes_of_consumers};
use crate::{
    commands::Up,
    install,
    ports::{self, Ports},
    postgres::{OPERATOR, Postgres},
    rabbitmq::{RabbitMq, RabbitPorts},
    settings,
    supervisor::{Supervisor, end_leftovers},
    units::{self, System},
    workspace::{Workspace, binaries},
};
use anyhow::{Context as _, bail};
use events::topology::SERVICES;
use std::time::{Duration, Instant};

/// How long PostgreSQL, or all of the system's processes together, may take until they are ready.
const READY: Duration = Duration::from_secs(60);

/// Starts everything; returns what was started, and the box of addresses.
pub(super) async fn start(
    workspace: &Workspace,
    options: &Up,
    supervisor: &mut Supervisor,
) -> anyhow::Result<(System, String)> {
    let began = Instant::now();
    end_leftovers(workspace).await;
    let scale = processes_of_consumers(&options.scale)?;
    let mut wanted = units::wanted_ports(&scale);
    if let Some(port) = settings::gateway_port(workspace)? {
        let gateway = wanted.iter_mut().find(|(name, _)| name == "gateway");
        gateway.expect("a stack has a gateway").1 = Some(port);
    }
    let wanted: Vec<(&str, Option<u16>)> = wanted
        .iter()
        .map(|(name, usual)| (name.as_str(), *usual))
        .collect();
    let ports = ports::choose(workspace, &wanted)?;

    let superuser = workspace.secret("postgres-superuser")?;
    let rabbitmq = RabbitMq::prepare(
        &install::rabbitmq_script()?,
        &workspace.state_dir,
        rabbit_ports(&ports),
    )?;
    let postgres = Postgres::prepare(&workspace.state_dir, &superuser, ports["postgres"]).await?;
    // RabbitMQ takes longest: it starts first, and everything else happens meanwhile.
    for unit in units::backing(&postgres, &rabbitmq, &ports) {
        let is_epmd = unit.name == "epmd";
        supervisor.add(unit)?;
        if is_epmd {
            rabbitmq.wait_for_epmd().await?;
        }
    }
    // The supervisor starts PostgreSQL again where it ends: what a killed server held is not always free at once.
    supervisor
        .wait_ready(&["postgres".to_owned()], READY)
        .await?;
    postgres.wait().await?;

    let system = System {
        workspace: workspace.clone(),
        binaries: binaries()?,
        ports,
        amqp_url: rabbitmq.amqp_url(),
        scale,
    };
    create_logins(workspace, &postgres).await?;
    addresses::write(&system)?;
    migrate(&system).await?;
    let units = system.units()?;
    let names: Vec<String> = units.iter().map(|unit| unit.name.clone()).collect();
    for unit in units {
        supervisor.add(unit)?;
    }
    supervisor.wait_ready(&names, READY).await?;
    rabbitmq.wait().await?;
    let addresses = addresses::summary(&system.ports, began.elapsed());
    Ok((system, addresses))
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

async fn create_logins(workspace: &Workspace, postgres: &Postgres) -> anyhow::Result<()> {
    let operator = workspace.secret(OPERATOR)?;
    let mut passwords = vec![("OPERATOR_DB_PASSWORD".to_owned(), operator)];
    for service in SERVICES {
        let variable = format!("{}_DB_PASSWORD", service.short.to_uppercase());
        passwords.push((variable, workspace.secret(service.role)?));
    }
    postgres
        .create_logins(&workspace.repository, &passwords)
        .await
}

async fn migrate(system: &System) -> anyhow::Result<()> {
    for service in SERVICES {
        let migrate = system.program(service, "migrate")?;
        let output = migrate
            .with_parent_death_signal()
            .output()
            .await
            .with_context(|| format!("cannot run {}", service.name))?;
        if !output.status.success() {
            let lines = String::from_utf8_lossy(&output.stdout);
            bail!("{} migrate failed:\n{}", service.name, lines.trim());
        }
    }
    Ok(())
}
