//! Where the parts of a running stack are: the environment says it, or else the file that `medtrack up` wrote.

mod stack;

pub(crate) use stack::{Supervision, is_alive};

use crate::command_line::CommandLine;
use anyhow::{Context as _, anyhow};
use events::topology::{SERVICES, Service, Unit};
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a part may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses by the names of `.medtrack/env`, such as `GATEWAY_URL` or `AUTH_DATABASE_URL`.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    addresses: BTreeMap<String, String>,
    /// Where `medtrack up` keeps its state.
    state_dir: PathBuf,
    /// What `medtrack up` runs on this machine; empty in a container.
    units: Vec<Unit>,
    /// Whether the environment names a part elsewhere than where `medtrack up` started it.
    is_elsewhere: bool,
    /// How commands are written in advice.
    pub(crate) command_line: CommandLine,
}

impl Endpoints {
    /// Reads the addresses that `medtrack up` wrote. `X_URL` in the environment wins over them, and so does the
    /// content of the file that `X_URL_FILE` names.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty());
        let state_dir = set("MEDTRACK_HOME").map_or_else(
            || PathBuf::from(set("MEDTRACK_ROOT").unwrap_or_default()).join(".medtrack"),
            PathBuf::from,
        );
        Self::read(&state_dir, std::env::vars().collect())
    }

    /// No address at all.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            addresses: BTreeMap::new(),
            state_dir: PathBuf::new(),
            units: Vec::new(),
            is_elsewhere: false,
            command_line: CommandLine::new(None, false),
        }
    }

    fn read(state_dir: &Path, environment: BTreeMap<String, String>) -> anyhow::Result<Self> {
        let file = state_dir.join("env");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let mut addresses: BTreeMap<String, String> = lines
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        let written = addresses.clone();
        // An empty value counts as none: a compose file can only set a variable, not remove it.
        let values = environment.iter().filter(|(_, value)| !value.is_empty());
        for (name, path) in values.clone() {
            if let Some(name) = name.strip_suffix("_FILE")
                && name.ends_with("_URL")
            {
                let url = std::fs::read_to_string(path)
                    .with_context(|| format!("{name}_FILE: cannot read {path}"))?;
                addresses.insert(name.to_owned(), url.trim().to_owned());
            }
        }
        let urls = values.filter(|(name, _)| name.ends_with("_URL"));
        addresses.extend(urls.map(|(name, value)| (name.clone(), value.clone())));
        let program = environment.get("MEDTRACK_COMMAND").cloned();
        let is_elsewhere = { addresses.iter() }
            .any(|(name, address)| is_part(name) && written.get(name) != Some(address));
        Ok(Self {
            addresses,
            is_elsewhere,
            state_dir: state_dir.to_owned(),
            units: stack::read(state_dir),
            command_line: CommandLine::new(program, file.exists()),
        })
    }

    /// Returns an address. Fails when neither the environment nor a running stack names it.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&str> {
        let address = self.addresses.get(name).map(String::as_str);
        address.with_context(|| {
            format!(
                "{name} is not set, and no stack was started here; try: {}, or set {name}",
                self.command_line.start()
            )
        })
    }

    /// Returns the addresses of all parts of the system.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let parts = self.addresses.iter().filter(|(name, _)| is_part(name));
        parts.map(|(_, address)| address.as_str())
    }

    /// Returns the advice to run a verb of the operator's command: `try: ./medtrack doctor`.
    pub(crate) fn advice(&self, verb: &str) -> String {
        format!("try: {}", self.command_line.operator(verb))
    }

    /// Connects to a service's database, with the operator's login where there is one, else with the service's.
    /// Fails when the database does not answer.
    pub(crate) async fn database(&self, service: &Service) -> anyhow::Result<PgConnection> {
        let short = service.short.to_uppercase();
        let operator = self
            .addresses
            .get(&format!("{short}_OPERATOR_DATABASE_URL"));
        let url = match operator {
            Some(url) => url,
            None => self.get(&format!("{short}_DATABASE_URL"))?,
        };
        let no_answer = || {
            format!(
                "the database of {} does not answer; {}",
                service.name,
                self.advice("doctor")
            )
        };
        match tokio::time::timeout(PATIENCE, PgConnection::connect(url)).await {
            Ok(connected) => connected.with_context(no_answer),
            Err(_) => {
                Err(anyhow!("no answer within {} s", PATIENCE.as_secs())).with_context(no_answer)
            }
        }
    }

    /// Connects to the databases of all services, in their order.
    pub(crate) async fn databases(&self) -> anyhow::Result<Vec<(&'static Service, PgConnection)>> {
        let mut databases = Vec::with_capacity(SERVICES.len());
        for service in SERVICES {
            databases.push((service, self.database(service).await?));
        }
        Ok(databases)
    }
}

/// Whether a variable names a part of the system.
fn is_part(name: &str) -> bool {
    let short = SERVICES.map(|service| service.short.to_uppercase());
    let of_service = short
        .iter()
        .any(|short| name.starts_with(&format!("{short}_")));
    of_service || ["GATEWAY_URL", "AMQP_URL", "RABBITMQ_MANAGEMENT_URL"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_files_and_files_over_what_up_wrote() {
        let dir = std::env::temp_dir().join(format!("medtrack-endpoints-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(
            dir.join("env"),
            "GATEWAY_URL='http://127.0.0.1:1'\nX_URL='a=b'\nY_URL='old'\nZ_URL='old'\n",
        )
        .unwrap();
        std::fs::write(dir.join("secret"), "from a file\n").unwrap();
        let secret = dir.join("secret").display().to_string();
        let environment = [
            ("X_URL", String::new()),
            ("Y_URL_FILE", secret.clone()),
            ("Z_URL_FILE", secret),
            ("Z_URL", "new".to_owned()),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        let endpoints = Endpoints::read(&dir, environment.into()).unwrap();
        assert_eq!(endpoints.get("GATEWAY_URL").unwrap(), "http://127.0.0.1:1");
        assert_eq!(endpoints.get("X_URL").unwrap(), "a=b");
        assert_eq!(endpoints.get("Y_URL").unwrap(), "from a file");
        assert_eq!(endpoints.get("Z_URL").unwrap(), "new");
        assert!(
            format!("{:#}", endpoints.get("NO_URL").unwrap_err()).contains("try: ./medtrack up")
        );
        endpoints.require_running().unwrap();
        std::fs::write(dir.join("lock"), "1").unwrap();
        let stopped = endpoints.require_running().unwrap_err();
        assert!(stopped.to_string().contains("try: ./medtrack up"));
        let elsewhere = ("AMQP_URL".to_owned(), "amqp://elsewhere".to_owned());
        let elsewhere = Endpoints::read(&dir, [elsewhere].into()).unwrap();
        elsewhere.require_running().unwrap();
        let missing = ("Y_URL_FILE".to_owned(), "/does/not/exist".to_owned());
        let refused = Endpoints::read(&dir, [missing].into()).unwrap_err();
        assert!(format!("{refused:#}").starts_with("Y_URL_FILE: cannot read"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
