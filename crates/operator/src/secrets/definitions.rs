//! The file that the broker of a production stack reads when it starts: logins, permissions and the topology.

use super::{Login, OPERATOR};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use events::{
    catalogue::EVENTS,
    topology::{EXCHANGE, SERVICES},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Returns all that the broker of a production stack has: logins that may do what their service does and no more,
/// and the topology, which those logins may not declare. Users that exist keep their password, and logins that others
/// added stay.
pub(super) fn definitions(vhost: &str, logins: &[Login], existing: &Value) -> Value {
    let old = |list: &'static str| existing[list].as_array().into_iter().flatten().cloned();
    let is_ours = |user: &Value| logins.iter().any(|login| *user == login.user);
    let users = logins.iter().map(|login| {
        let mut users = old("users");
        let user = users.find(|user| user["name"] == login.user);
        user.unwrap_or_else(|| user_of(login))
    });
    let operator =
        json!({"user": OPERATOR, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"});
    // To bind a queue again, RabbitMQ asks for write on the queue, for read on the exchange, and for read on the pattern.
    let permissions = SERVICES.iter().map(|service| {
        let (own, exchange) = (escaped(service.queue.name), escaped(EXCHANGE));
        json!({"user": service.name, "vhost": vhost, "configure": "^$", "write": format!("^({exchange}|{own})$"),
               "read": format!("^({exchange}|{own}(\\.crashed)?)$")})
    });
    let topics = SERVICES.iter().map(|service| {
        let patterns = service.queue.patterns.iter();
        let patterns: Vec<_> = patterns.map(|pattern| escaped(pattern)).collect();
        json!({"user": service.name, "vhost": vhost, "exchange": EXCHANGE,
               "write": keys_of(service.name), "read": format!("^({})$", patterns.join("|"))})
    });
    let publishers: Vec<&str> = logins
        .iter()
        .map(|login| login.user)
        .filter(|user| *user != OPERATOR && !SERVICES.iter().any(|service| service.name == *user))
        .collect();
    let of_publishers = publishers.iter().map(|publisher| {
        json!({"user": publisher, "vhost": vhost, "configure": "^$", "write": format!("^{}$", escaped(EXCHANGE)),
               "read": "^$"})
    });
    let topics_of_publishers = publishers.iter().map(|publisher| {
        json!({"user": publisher, "vhost": vhost, "exchange": EXCHANGE, "write": keys_of(publisher), "read": "^$"})
    });
    let of_others = |list, field: &'static str| old(list).filter(move |row| !is_ours(&row[field]));
    let mut definitions = messaging::topology::definitions(vhost);
    definitions["vhosts"] = json!([{"name": vhost}]);
    definitions["users"] = users.chain(of_others("users", "name")).collect();
    definitions["permissions"] = std::iter::once(operator)
        .chain(permissions)
        .chain(of_publishers)
        .chain(of_others("permissions", "user"))
        .collect();
    definitions["topic_permissions"] = topics
        .chain(topics_of_publishers)
        .chain(of_others("topic_permissions", "user"))
        .collect();
    definitions
}

/// The keys of the events that a service publishes, as a regular expression.
fn keys_of(producer: &str) -> String {
    let own = EVENTS.iter().filter(|entry| entry.producer == producer);
    let keys: Vec<_> = own.map(|entry| escaped(entry.key)).collect();
    format!("^({})$", keys.join("|"))
}

/// A name or a pattern as a regular expression that fits nothing else.
fn escaped(name: &str) -> String {
    name.replace('.', "\\.").replace('*', "\\*")
}

fn user_of(login: &Login) -> Value {
    let tags = match login.user {
        OPERATOR => "administrator",
        _ => "",
    };
    json!({"name": login.user, "password_hash": hash(&login.password), "tags": tags,
           "hashing_algorithm": "rabbit_password_hashing_sha256"})
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
        let login = Login {
            user: "auth-service",
            password: "x".into(),
        };
        let definitions = definitions("/", &[login], &Value::Null);
        let auth = &definitions["permissions"][1];
        assert_eq!(
            (&auth["configure"], &auth["write"], &auth["read"]),
            (
                &json!("^$"),
                &json!("^(events\\.topic|auth\\.events)$"),
                &json!("^(events\\.topic|auth\\.events(\\.crashed)?)$")
            )
        );
        let write = definitions["topic_permissions"][0]["write"]
            .as_str()
            .unwrap();
        assert!(write.starts_with("^(auth\\.user\\.created|"), "{write}");
        assert!(!write.contains("student"));
        assert_eq!(
            definitions["topic_permissions"][1]["read"],
            "^(auth\\.user\\.\\*|auth\\.session\\.revoked)$",
            "profile-service binds nothing else"
        );
        assert_eq!(
            definitions["topic_permissions"][2]["write"], "^()$",
            "comm-service publishes nothing"
        );
    }
}
