//! Where the parts of a running stack are: the environment says, or else what `medtrack up` has written down.

use crate::home::Home;
use anyhow::{Context as _, anyhow};
use sqlx::{Connection as _, PgConnection};
use std::{collections::BTreeMap, time::Duration};

/// How long a part may take to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The services.
pub(crate) const SERVICES: [&str; 3] = ["auth", "profile", "comm"];

/// Addresses by the names of `.medtrack/env`, such as `GATEWAY_URL` or `AUTH_DATABASE_URL`.
#[derive(Clone, Debug)]
pub(crate) struct Places(BTreeMap<String, String>);

impl Places {
    /// Reads them; the environment wins.
    pub(crate) fn find(home: &Home) -> Self {
        let text = std::fs::read_to_string(home.path("env")).unwrap_or_default();
        let written = text.lines().filter_map(|line| line.split_once('='));
        let written = written.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()));
        let given = std::env::vars().filter(|(name, _)| name.ends_with("_URL"));
        Self(written.chain(given).collect())
    }

    /// An address.
    ///
    /// # Errors
    /// When nothing has been started here and the environment does not have it.
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| {
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
    fn what_was_written_is_found() {
        let folder = std::env::temp_dir().join(format!("medtrack-places-{}", uuid::Uuid::new_v4()));
        let home = Home { root: folder.clone(), folder };
        home.create().unwrap();
        std::fs::write(home.path("env"), "GATEWAY_URL='http://127.0.0.1:1'\nX_URL='a=b'\n").unwrap();
        let places = Places::find(&home);
        assert_eq!(places.get("GATEWAY_URL").unwrap(), "http://127.0.0.1:1");
        assert_eq!(places.get("X_URL").unwrap(), "a=b");
        assert!(format!("{:#}", places.get("NO_URL").unwrap_err()).contains("try: ./medtrack up"));
        std::fs::remove_dir_all(home.folder).unwrap();
    }
}
