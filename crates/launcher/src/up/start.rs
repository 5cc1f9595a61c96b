//! The start of a stack: ports, servers, databases, migrations, then the services and the gateway.

use super::addresses;
use crate::{
    commands::{Scale, Up},
    install,
    ports::{self, Ports},
    postgres::{OPERATOR, Postgres},
    rabbitmq::{RabbitMq, RabbitPorts},
    settings,
    supervisor::{Supervisor, end_leftovers},
    units::{self, System},
    workspace::{Workspace, binaries, write_private},
};
use anyhow::{Context as _, bail};
use events::topology::SERVICES;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long PostgreSQL, or all of the system's processes together, may take until they are ready.
const READY: Duration = Duration::from_secs(60);

/// Starts everything; returns the box of addresses.
pub(super) async fn start(
    workspace: &Workspace,
    options: &Up,
    supervisor: &mut Supervisor,
) -> anyhow::Result<String> {
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
        workspace,
        binaries: &binaries()?,
        ports: &ports,
        amqp_url: &rabbitmq.amqp_url(),
        scale: &scale,
    };
    create_logins(workspace, &postgres).await?;
    write_private(
        &workspace.path("env"),
        &addresses::environment(workspace, &ports, system.amqp_url)?,
    )?;
    migrate(&system).await?;
    let units = system.units()?;
    let names: Vec<String> = units.iter().map(|unit| unit.name.clone()).collect();
    for unit in units {
        supervisor.add(unit)?;
    }
    supervisor.wait_ready(&names, READY).await?;
    rabbitmq.wait().await?;
    Ok(addresses::summary(&ports, began.elapsed()))
}

/// Unit of a first consumer → number of its processes.
pub(super) fn processes_of_consumers(scale: &[Scale]) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut processes = BTreeMap::new();
    for scale in scale {
        let name = units::name_of(&scale.unit);
        if !SERVICES
            .iter()
            .any(|service| name == units::consumer(service))
        {
            let consumers = SERVICES.map(units::consumer);
            bail!(
                "{} cannot be scaled; consumers can: {}",
                scale.unit,
                consumers.join(", ")
            );
        }
        processes.insert(name, scale.processes);
    }
    Ok(processes)
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

async fn migrate(system: &System<'_>) -> anyhow::Result<()> {
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
