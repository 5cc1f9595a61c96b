//! Where the parts of a running stack are: the environment says, or else what `medtrack up` has written down.

use anyhow::{Context as _, anyhow};
use sqlx::{Connection as _, PgConnection};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a part may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The services.
pub(crate) const SERVICES: [&str; 3] = ["auth", "profile", "comm"];

/// Addresses by the names of `.medtrack/env`, such as `GATEWAY_URL` or `AUTH_DATABASE_URL`.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    addresses: BTreeMap<String, String>,
    native: bool,
}

impl Endpoints {
    /// Reads the addresses that `medtrack up` wrote; the environment wins.
    pub(crate) fn find() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty());
        let state_dir = set("MEDTRACK_HOME").map_or_else(
            || PathBuf::from(set("MEDTRACK_ROOT").unwrap_or_default()).join(".medtrack"),
            PathBuf::from,
        );
        Self::read(&state_dir)
    }

    fn read(state_dir: &Path) -> Self {
        let file = state_dir.join("env");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let written =
            lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        let environment = std::env::vars().filter(|(name, _)| name.ends_with("_URL"));
        Self {
            addresses: written.chain(environment).collect(),
            native: file.exists(),
        }
    }

    /// Whether `medtrack up` started the stack on this machine, without containers.
    pub(crate) fn is_native(&self) -> bool {
        self.native
    }

    /// An address.
    ///
    /// # Errors
    /// When nothing has been started here and the environment does not have it.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&str> {
        self.addresses.get(name).map(String::as_str).with_context(|| {
            format!(
                "{name} is not known: nothing was started here; try: ./medtrack up --detach, or set {name}"
            )
        })
    }

    /// A connection to a service's database; `service` is one of [`SERVICES`].
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn database(&self, service: &str) -> anyhow::Result<PgConnection> {
        let url = self.get(&format!("{}_DATABASE_URL", service.to_uppercase()))?;
        let away = || {
            format!(
                "the database of {}-service does not answer; try: ./medtrack doctor",
                service.to_lowercase()
            )
        };
        match tokio::time::timeout(PATIENCE, PgConnection::connect(url)).await {
            Ok(connected) => connected.with_context(away),
            Err(_) => Err(anyhow!("no answer within {} s", PATIENCE.as_secs())).with_context(away),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_that_up_wrote_are_read() {
        let dir = std::env::temp_dir().join(format!("medtrack-endpoints-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(
            dir.join("env"),
            "GATEWAY_URL='http://127.0.0.1:1'\nX_URL='a=b'\n",
        )
        .unwrap();
        let endpoints = Endpoints::read(&dir);
        assert_eq!(endpoints.get("GATEWAY_URL").unwrap(), "http://127.0.0.1:1");
        assert_eq!(endpoints.get("X_URL").unwrap(), "a=b");
        assert!(
            format!("{:#}", endpoints.get("NO_URL").unwrap_err()).contains("try: ./medtrack up")
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}
