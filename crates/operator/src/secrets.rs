//! The secrets of a production stack, each in a file of its own, as docker-compose.production.yml mounts them.

mod definitions;

use anyhow::{Context as _, bail};
use definitions::definitions;
use events::{
    catalogue::EVENTS,
    topology::{SERVICES, Service},
};
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};
use uuid::Uuid;

/// The login of operators, on RabbitMQ and in every database.
const OPERATOR: &str = "operator";
/// The file with the address of the mail server.
pub(crate) const MAIL_URL: &str = "mail_url";
/// The file that RabbitMQ reads when it starts.
pub(crate) const DEFINITIONS: &str = "rabbitmq_definitions.json";

/// Makes all secrets in a new directory. It refuses one that exists, because the servers that hold the data know its
/// passwords.
pub(crate) fn make(dir: &Path, publishers: &[&'static str]) -> anyhow::Result<()> {
    if dir.exists() {
        bail!(
            "{} exists; its passwords are in use: choose another directory, or try: --add, which keeps them",
            dir.display()
        );
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    Dir::fill(dir, publishers).map(drop)
}

/// Keeps the secrets that are in the directory, and makes those that this version also needs. Returns the names of the
/// files that it wrote.
pub(crate) fn add(dir: &Path, publishers: &[&'static str]) -> anyhow::Result<Vec<String>> {
    if !dir.join(DEFINITIONS).is_file() {
        bail!(
            "{} holds no secrets of a production stack; try: without --add",
            dir.display()
        );
    }
    Dir::fill(dir, publishers)
}

/// Returns the services that publish events and are not of this system.
pub(crate) fn publishers() -> Vec<&'static str> {
    let foreign = EVENTS.iter().map(|entry| entry.producer);
    let mut publishers: Vec<_> = foreign
        .filter(|producer| !SERVICES.iter().any(|service| service.name == *producer))
        .collect();
    publishers.sort_unstable();
    publishers.dedup();
    publishers
}

/// A login of RabbitMQ.
struct Login {
    user: &'static str,
    password: String,
}

/// The directory of the secrets.
struct Dir<'a> {
    path: &'a Path,
    written: Vec<String>,
}

impl<'a> Dir<'a> {
    fn fill(path: &'a Path, publishers: &[&'static str]) -> anyhow::Result<Vec<String>> {
        let mut dir = Self {
            path,
            written: Vec::new(),
        };
        for name in ["postgres_password", "grafana_password"] {
            dir.ensure(name, password)?;
        }
        // A person writes the address of the mail server there.
        dir.ensure(MAIL_URL, || "none".into())?;
        let mut logins = dir.operator()?;
        for service in SERVICES {
            logins.push(dir.service(service)?);
        }
        for publisher in publishers {
            logins.push(dir.broker_login(publisher, publisher)?);
        }
        dir.definitions(&logins)?;
        Ok(dir.written)
    }

    /// The operator's logins and addresses.
    fn operator(&mut self) -> anyhow::Result<Vec<Login>> {
        let broker = self.ensure("rabbitmq_operator_password", password)?;
        self.ensure("operator_amqp_url", || {
            format!("amqp://{OPERATOR}:{broker}@rabbitmq:5672/%2f")
        })?;
        self.ensure("operator_management_url", || {
            format!("http://{OPERATOR}:{broker}@rabbitmq:15672")
        })?;
        let database = self.ensure("operator_db_password", password)?;
        for service in SERVICES {
            self.ensure(&format!("{}_operator_database_url", service.short), || {
                format!(
                    "postgres://{OPERATOR}:{database}@postgres:5432/{}",
                    service.database
                )
            })?;
        }
        Ok(vec![Login {
            user: OPERATOR,
            password: broker,
        }])
    }

    /// The logins and addresses of a service.
    fn service(&mut self, service: &Service) -> anyhow::Result<Login> {
        let Service {
            short,
            name,
            database,
            role,
            ..
        } = service;
        let db_password = self.ensure(&format!("{short}_db_password"), password)?;
        self.ensure(&format!("{short}_database_url"), || {
            format!("postgres://{role}:{db_password}@postgres:5432/{database}")
        })?;
        self.broker_login(name, short)
    }

    /// A login of RabbitMQ, and its address in a file that begins with `prefix`.
    fn broker_login(&mut self, name: &'static str, prefix: &str) -> anyhow::Result<Login> {
        let file = format!("{prefix}_amqp_url");
        let url = self.ensure(&file, || {
            format!("amqp://{name}:{}@rabbitmq:5672/%2f", password())
        })?;
        let password = url.split([':', '@']).nth(2);
        Ok(Login {
            user: name,
            password: password
                .with_context(|| format!("{file} is not an address with a password"))?
                .to_owned(),
        })
    }

    fn definitions(&mut self, logins: &[Login]) -> anyhow::Result<()> {
        let path = self.path.join(DEFINITIONS);
        let existing: Value = match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .with_context(|| format!("{} is not JSON", path.display()))?,
            Err(_) => Value::Null,
        };
        let definitions = definitions("/", logins, &existing);
        if definitions == existing {
            return Ok(());
        }
        self.write(DEFINITIONS, &serde_json::to_string_pretty(&definitions)?)
    }

    /// Returns a secret; makes it when it is missing.
    fn ensure(&mut self, name: &str, value: impl FnOnce() -> String) -> anyhow::Result<String> {
        let path = self.path.join(name);
        if path.exists() {
            let value = fs::read_to_string(&path);
            let value = value.with_context(|| format!("cannot read {}", path.display()))?;
            return Ok(value.trim().to_owned());
        }
        let value = value();
        self.write(name, &value)?;
        Ok(value)
    }

    /// Writes beside the file, then renames, so that a secret is never half written.
    fn write(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let (path, fresh) = (
            self.path.join(name),
            self.path.join(format!("{name}.{}", Uuid::new_v4())),
        );
        // The directory keeps others out; in a container a service that is not root reads the file.
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(&fresh);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.written.push(name.to_owned());
        Ok(())
    }
}

/// Returns 244 random bits, in characters that need no escaping in an address.
fn password() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::{collections::BTreeMap, path::PathBuf};

    fn read(dir: &Path) -> BTreeMap<PathBuf, String> {
        let entries = fs::read_dir(dir).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
            .collect()
    }

    fn new_dir() -> PathBuf {
        std::env::temp_dir().join(format!("medtrack-secrets-{}", Uuid::new_v4()))
    }

    #[test]
    fn secrets_are_made_once() {
        let dir = new_dir();
        make(&dir, &[]).unwrap();
        let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap();
        assert_eq!(
            read("comm_database_url"),
            format!(
                "postgres://comm_service:{}@postgres:5432/comm_db",
                read("comm_db_password")
            )
        );
        let amqp = read("auth_amqp_url");
        let broker = amqp.split([':', '@']).nth(2).unwrap();
        assert!(
            broker.len() == 64 && !read(DEFINITIONS).contains(broker),
            "only a hash"
        );
        assert!(make(&dir, &[]).unwrap_err().to_string().contains("exists"));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn what_a_later_version_needs_is_added_and_nothing_else_changes() {
        let dir = new_dir();
        assert!(add(&dir, &[]).is_err(), "there is nothing to add to");
        make(&dir, &[]).unwrap();
        let all = read(&dir);
        assert_eq!(add(&dir, &[]).unwrap(), Vec::<String>::new());
        assert_eq!(read(&dir), all);

        // As a version without the operator's database login and without auth-service left it, with a publisher's
        // login that a person added.
        let mut old: Value = serde_json::from_str(&all[&dir.join(DEFINITIONS)]).unwrap();
        let is_auth = |row: &Value| row["name"] == "auth-service" || row["user"] == "auth-service";
        for list in ["users", "permissions", "topic_permissions"] {
            old[list]
                .as_array_mut()
                .unwrap()
                .retain(|row| !is_auth(row));
        }
        let publisher = json!({"name": "stages", "password_hash": "x"});
        old["users"].as_array_mut().unwrap().push(publisher.clone());
        fs::remove_file(dir.join(DEFINITIONS)).unwrap();
        fs::write(dir.join(DEFINITIONS), old.to_string()).unwrap();
        for name in ["operator_db_password", "auth_operator_database_url"] {
            fs::remove_file(dir.join(name)).unwrap();
        }
        assert_eq!(
            add(&dir, &[]).unwrap(),
            [
                "operator_db_password",
                "auth_operator_database_url",
                DEFINITIONS
            ]
        );
        let new: Value = serde_json::from_str(&read(&dir)[&dir.join(DEFINITIONS)]).unwrap();
        let users = |value: &Value| value["users"].as_array().unwrap().clone();
        assert!(users(&new).contains(&publisher) && users(&new).iter().any(is_auth));
        for user in users(&old) {
            assert!(users(&new).contains(&user), "{user} keeps its password");
        }
        let kept = |path: &PathBuf| {
            path != &dir.join(DEFINITIONS) && !path.ends_with("operator_db_password")
        };
        for (path, text) in read(&dir).iter().filter(|(path, _)| kept(path)) {
            if !path.ends_with("auth_operator_database_url") {
                assert_eq!(text, &all[path]);
            }
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_publisher_gets_a_login_that_later_additions_keep() {
        let dir = new_dir();
        make(&dir, &[]).unwrap();
        let core = ["core-service"];
        assert_eq!(
            add(&dir, &core).unwrap(),
            ["core-service_amqp_url", DEFINITIONS]
        );
        let all = read(&dir);
        assert!(all[&dir.join("core-service_amqp_url")].starts_with("amqp://core-service:"));
        assert_eq!(add(&dir, &core).unwrap(), Vec::<String>::new());
        assert_eq!(add(&dir, &[]).unwrap(), Vec::<String>::new());
        assert_eq!(read(&dir), all);
        assert!(publishers().contains(&"core-service"));
        assert!(!publishers().contains(&"auth-service"));
        fs::remove_dir_all(dir).unwrap();
    }
}
