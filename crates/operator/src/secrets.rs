//! The secrets of a production stack, each in a file of its own, as docker-compose.production.yml mounts them.

use anyhow::{Context as _, bail};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::{
    catalogue::EVENTS,
    topology::{self, EXCHANGE, Queue},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};
use uuid::Uuid;

/// A service: its name, its word in databases and roles, and its queue.
const SERVICES: [(&str, &str, &Queue); 3] = [
    ("auth-service", "auth", &topology::AUTH.queue),
    ("profile-service", "profile", &topology::PROFILE.queue),
    ("comm-service", "comm", &topology::COMM.queue),
];

/// Who may look at the broker; the services' own logins may not.
const OPERATOR: &str = "operator";

/// Makes all secrets in a new directory. An old one is left alone: what holds the data knows its passwords.
pub(crate) fn make(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        bail!(
            "{} exists; its passwords are in use: choose another dir, or remove it",
            dir.display()
        );
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let write = |name: &str, text: &str| -> anyhow::Result<()> {
        // The directory keeps others out; in a container a service that is not root reads the file.
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(dir.join(name));
        Ok(file?.write_all(text.as_bytes())?)
    };
    let mut logins = vec![(OPERATOR, password())];
    write("postgres_password", &password())?;
    write("grafana_password", &password())?;
    write("rabbitmq_operator_password", &logins[0].1)?;
    for (name, word, _) in SERVICES {
        let (database, broker) = (password(), password());
        write(&format!("{word}_db_password"), &database)?;
        write(
            &format!("{word}_database_url"),
            &format!("postgres://{word}_service:{database}@postgres:5432/{word}_db"),
        )?;
        write(
            &format!("{word}_amqp_url"),
            &format!("amqp://{name}:{broker}@rabbitmq:5672/%2f"),
        )?;
        logins.push((name, broker));
    }
    let definitions = definitions("/", &logins);
    write(
        "rabbitmq_definitions.json",
        &serde_json::to_string_pretty(&definitions)?,
    )?;
    say!("Made {}. Keep a copy where the backups are.", dir.display());
    say!("try: docker-compose -f docker-compose.yml -f docker-compose.production.yml up -d");
    Ok(())
}

/// 244 random bits, in characters that need no escaping in an address.
fn password() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

/// Everything that the broker of a production stack has: logins that may do what their service does and no more,
/// and what they may therefore not declare themselves.
fn definitions(vhost: &str, logins: &[(&str, String)]) -> Value {
    let users = logins.iter().map(|(name, password)| {
        let tags = if *name == OPERATOR {
            "administrator"
        } else {
            ""
        };
        json!({"name": name, "password_hash": hash(password), "tags": tags,
               "hashing_algorithm": "rabbit_password_hashing_sha256"})
    });
    let everything =
        json!({"user": OPERATOR, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"});
    let permissions = SERVICES.iter().map(|(name, _, queue)| {
        let own = queue.name.replace('.', "\\.");
        let exchange = EXCHANGE.replace('.', "\\.");
        json!({"user": name, "vhost": vhost, "configure": "^$", "write": format!("^{exchange}$"),
               "read": format!("^{own}(\\.crashed)?$")})
    });
    let topics = SERVICES.iter().map(|(name, _, _)| {
        let own = EVENTS.iter().filter(|entry| entry.producer == *name);
        let keys: Vec<_> = own.map(|entry| entry.key.replace('.', "\\.")).collect();
        json!({"user": name, "vhost": vhost, "exchange": EXCHANGE, "write": format!("^({})$", keys.join("|")),
               "read": ".*"})
    });
    let mut definitions = messaging::topology::definitions(vhost);
    definitions["vhosts"] = json!([{"name": vhost}]);
    definitions["users"] = users.collect();
    definitions["permissions"] = std::iter::once(everything).chain(permissions).collect();
    definitions["topic_permissions"] = topics.collect();
    definitions
}

/// RabbitMQ's documentation, "Access Control", on computing a password hash.
fn hash(password: &str) -> String {
    let salt = &Uuid::new_v4().into_bytes()[..4];
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update(password)
        .finalize();
    BASE64_STANDARD.encode([salt, &digest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_login_may_do_what_its_service_does() {
        let definitions = definitions("/", &[("auth-service", "x".into())]);
        let auth = &definitions["permissions"][1];
        assert_eq!(
            (&auth["configure"], &auth["write"], &auth["read"]),
            (
                &json!("^$"),
                &json!("^events\\.topic$"),
                &json!("^auth\\.events(\\.crashed)?$")
            )
        );
        let write = definitions["topic_permissions"][0]["write"]
            .as_str()
            .unwrap();
        assert!(write.starts_with("^(auth\\.user\\.created|"), "{write}");
        assert!(!write.contains("student"));
        assert_eq!(
            definitions["topic_permissions"][2]["write"], "^()$",
            "comm-service publishes nothing"
        );
    }

    #[test]
    fn secrets_are_made_once() {
        let dir = std::env::temp_dir().join(format!("medtrack-secrets-{}", Uuid::new_v4()));
        make(&dir).unwrap();
        let url = fs::read_to_string(dir.join("comm_database_url")).unwrap();
        let password = fs::read_to_string(dir.join("comm_db_password")).unwrap();
        assert_eq!(
            url,
            format!("postgres://comm_service:{password}@postgres:5432/comm_db")
        );
        let definitions = fs::read_to_string(dir.join("rabbitmq_definitions.json")).unwrap();
        let amqp = fs::read_to_string(dir.join("auth_amqp_url")).unwrap();
        let broker = amqp.split([':', '@']).nth(2).unwrap();
        assert!(
            broker.len() == 64 && !definitions.contains(broker),
            "only a hash"
        );
        assert!(make(&dir).unwrap_err().to_string().contains("exists"));
        fs::remove_dir_all(dir).unwrap();
    }
}
