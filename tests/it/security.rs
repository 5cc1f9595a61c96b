//! Tests of the security specification that need several services. Those of one service are among its own tests.

use events::{Role, topology::SERVICES};
use reqwest::Method;
use serde_json::json;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use test_support::{
    Client, Process, Stack, Unit, User,
    client::{self, PASSWORD},
    eventually,
    stack::Links,
    tokens,
};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(10);
const ME: &str = "/auth/api/v1/users/me";
const LOGIN: &str = "/auth/api/v1/login";

#[tokio::test]
async fn sql_metacharacters_round_trip() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let texts = [
        "Robert'); drop table users_user; --",
        "' or '1'='1",
        "\"; select pg_sleep(9); --",
        "\\'; -- \\\\",
        "%_%",
        "$1 $$ ${x} {{7*7}} {0} %s",
        "/* */ U&'\\0027' E'\\x27'",
        "O'Brien-Müller",
        "نورة بنت محمد",
    ];
    for text in texts {
        let password = format!("{PASSWORD} {text}");
        let mut body = client::newcomer(Role::Student);
        body["email"] = format!("o'b%_{}", body["email"].as_str().expect("a text")).into();
        body["first_name"] = text.into();
        body["last_name"] = text.into();
        body["password"] = password.clone().into();
        let registered = stack.client.post(client::REGISTER, &body).await;
        assert_eq!(registered.status, 201, "{text}: {}", registered.body);
        let user = client::user(registered.body);
        let credentials = json!({"email": user.email, "password": password});
        assert_eq!(stack.client.post(LOGIN, &credentials).await.status, 200);
        let wrong = json!({"email": user.email, "password": format!("{password}' or '1'='1")});
        assert_eq!(stack.client.post(LOGIN, &wrong).await.status, 401);

        let notification = eventually(SOON, "the welcome", async || {
            stack.client.notifications(&user).await.into_iter().next()
        })
        .await;
        let content = notification["content"].as_str().expect("a text");
        assert!(content.contains(text), "{text}: {content}");
        for path in [ME, "/profile/api/me"] {
            let person = stack.client.get(path, &user).await.body;
            assert_eq!(person["first_name"], text, "{path}");
            assert_eq!(person["last_name"], text, "{path}");
        }
        let change = json!({"first_name": format!("{text}'")});
        let changed = stack
            .client
            .ask(Method::PATCH, ME, Some(&user.token), Some(&change));
        let changed = changed.await.expect("an answer");
        assert_eq!(changed.body["first_name"], change["first_name"]);
    }
    addresses_are_values(&stack).await;
    let users = i64::try_from(texts.len()).expect("a few") + 1;
    assert_eq!(stack.auth.count("users_user").await, users);
    assert_eq!(stack.profile.count("profiles_student").await, users);
}

/// What stands in a path or in a query is a value, too.
async fn addresses_are_values(stack: &Stack) {
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "the welcome", async || {
        !stack.client.notifications(&user).await.is_empty()
    })
    .await;
    let list = "/comm/api/notifications/";
    for (path, statuses) in [
        (format!("{list}%27%20or%201%3D1--/"), [404, 404]),
        (format!("{list}?page=1%27%20or%20%271%27=%271"), [400, 400]),
        (format!("{list}?type=%27%20or%201=1"), [400, 200]),
        (format!("{list}?sort=id;drop%20table%20x"), [400, 200]),
        (format!("{list}?search=%27%20or%201=1--"), [200, 200]),
    ] {
        let response = stack.client.get(&path, &user).await;
        let status = response.status;
        assert!(statuses.contains(&status), "{path}: {}", response.body);
    }
}

/// Starts each process with a password that everybody knows.
#[tokio::test]
async fn defaults_refused_in_production() {
    let _turn = crate::beside_others().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.example");
    let example = std::fs::read_to_string(example).expect("the file is there");
    let known = example
        .lines()
        .filter_map(|line| line.split_once("_PASSWORD="))
        .map(|(_, password)| password);
    let mut known: Vec<&str> = known.chain(["guest", ""]).collect();
    known.sort_unstable();
    known.dedup();
    assert!(known.len() > 6, "{known:?}");
    let refused = async |service: &str, role: &str, variable: &str, password: &str| {
        let address = |scheme: &str, of: &str| {
            let password = if of == variable {
                password
            } else {
                "s3cr3t-of-ours"
            };
            format!("{scheme}://someone:{password}@127.0.0.1:1/x")
        };
        let environment = [
            ("MEDTRACK_ENV", "production".to_owned()),
            ("DATABASE_URL", address("postgres", "DATABASE_URL")),
            ("AMQP_URL", address("amqp", "AMQP_URL")),
        ];
        let mut process = Process::start(service, &[role], &environment);
        let status = process.exit(SOON).await;
        assert!(!status.success(), "{service} {role}: {password:?}");
        process
            .line(&format!("{variable} has a well-known password"))
            .await;
        let shown = process.count_lines("someone") + process.count_lines("s3cr3t");
        assert_eq!(shown, 0, "{:?}", process.log());
    };
    for password in known {
        for service in SERVICES.map(|service| service.name) {
            for role in ["serve", "consume-events", "migrate"] {
                refused(service, role, "DATABASE_URL", password).await;
            }
            refused(service, "consume-events", "AMQP_URL", password).await;
        }
        refused("auth-service", "serve", "AMQP_URL", password).await;
    }
}

/// Users who send requests all the time, and what went wrong.
#[derive(Clone)]
struct Load {
    client: Client,
    /// The last token of each key that was seen.
    users: Arc<Mutex<Vec<User>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    answered: Arc<Mutex<usize>>,
}

impl Load {
    /// Asks all services with all tokens, again and again.
    async fn ask(self) {
        loop {
            let users = self.users.lock().expect("no holder panics").clone();
            for user in &users {
                for path in [ME, "/profile/api/me", "/comm/api/notifications/"] {
                    let response = self.client.ask(Method::GET, path, Some(&user.token), None);
                    let problem = match response.await {
                        Ok(response) if [200, 404].contains(&response.status) => None,
                        Ok(response) => Some(response.body.to_string()),
                        Err(error) => Some(error.to_string()),
                    };
                    *self.answered.lock().expect("no holder panics") += 1;
                    if let Some(problem) = problem {
                        let mut wrong = self.wrong.lock().expect("no holder panics");
                        wrong.push(format!("{path}: {problem}"));
                    }
                }
            }
        }
    }

    fn answered(&self) -> usize {
        *self.answered.lock().expect("no holder panics")
    }

    /// Logs in. Returns the key that the new token was signed with.
    async fn log_in(&self, email: &str) -> String {
        let credentials = json!({"email": email, "password": PASSWORD});
        let response = self.client.post(LOGIN, &credentials).await;
        assert_eq!(response.status, 200, "{}", response.body);
        let user = client::user(response.body);
        let kid = tokens::key_of(&user.token);
        let mut users = self.users.lock().expect("no holder panics");
        users.retain(|old| tokens::key_of(&old.token) != kid);
        users.push(user);
        kid
    }
}

#[tokio::test]
async fn key_rotation_no_401() {
    let _turn = crate::beside_others().await;
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::Comm])
        .await;
    let user = stack.client.register(Role::Student).await;
    let load = Load {
        client: stack.client.clone(),
        users: Arc::default(),
        wrong: Arc::default(),
        answered: Arc::default(),
    };
    let old = load.log_in(&user.email).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        tasks.spawn(load.clone().ask());
    }

    let url = ("DATABASE_URL", stack.auth.url.clone());
    Process::run("auth-service", &["keys", "rotate"], &[url]).await;
    let published = async || {
        let keys = stack.client.get("/auth/.well-known/jwks.json", &user).await;
        keys.body["keys"].as_array().map(Vec::len) == Some(2)
    };
    eventually(SOON * 3, "the new key is published", published).await;
    // The minute between the publication and the first signature passes.
    let pass = "update users_signing_key set created_at = created_at - interval '1 minute',
                                             retired_at = retired_at - interval '1 minute'";
    stack.auth.run(pass).await;
    let new = eventually(SOON * 3, "the new key signs", async || {
        let kid = load.log_in(&user.email).await;
        (kid != old).then_some(kid)
    })
    .await;
    let before = load.answered();
    eventually(SOON, "tokens of both keys are in use", async || {
        load.answered() > before + 200
    })
    .await;
    tasks.shutdown().await;
    let users = load.users.lock().expect("no holder panics").clone();
    let kids: Vec<_> = users
        .iter()
        .map(|user| tokens::key_of(&user.token))
        .collect();
    assert_eq!(kids, [old, new]);
    let wrong: Vec<String> = load.wrong.lock().expect("no holder panics").clone();
    assert_eq!(wrong, Vec::<String>::new(), "of {}", load.answered());
}

/// Everything that a person or a program hands over in secret, or that says who a person is.
#[tokio::test]
async fn no_secret_in_logs() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    let mut body = client::newcomer(Role::Student);
    body["first_name"] = json!("Canaryfirst");
    body["last_name"] = json!("Canarylast");
    body["phone"] = json!("+33 1 98 76 54 32");
    let registered = stack.client.post(client::REGISTER, &body).await.body;
    let user = client::user(registered.clone());
    eventually(SOON, "a welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;

    let wrong = json!({"email": user.email, "password": "a wrong canary of mine"});
    assert_eq!(stack.client.post(LOGIN, &wrong).await.status, 401);
    let refresh = json!({"refresh_token": registered["refresh_token"]});
    let refreshed = stack.client.post("/auth/api/v1/refresh", &refresh).await;
    assert_eq!(refreshed.status, 200);
    let forgotten = json!({"email": user.email});
    stack
        .client
        .post("/auth/api/v1/password/forgot", &forgotten)
        .await;
    let link = "C4n4ryC4n4ryC4n4ryC4n4ryC4n4ryC4n4ryC4n4ryx";
    let reset = json!({"token": link, "new_password": "the next canary of mine"});
    stack
        .client
        .post("/auth/api/v1/password/reset", &reset)
        .await;
    let change = json!({"current_password": PASSWORD, "new_password": "a third canary of mine"});
    let path = "/auth/api/v1/users/me/change-password";
    let changed = stack
        .client
        .ask(Method::POST, path, Some(&user.token), Some(&change));
    let changed = changed.await.unwrap().body;
    // An event that cannot be handled, with all of it.
    let odd =
        json!({"payload": {"user_id": "Canaryid", "email": user.email, "password": PASSWORD}});
    stack
        .vhost
        .publish("auth.user.created", odd.to_string())
        .await;
    let dead = "exists (select from parked_event where state = 'dead')";
    eventually(SOON, "a dead event", async || stack.profile.is(dead).await).await;

    let mut secrets: Vec<&str> = vec![
        PASSWORD,
        "canary of mine",
        link,
        "Canaryfirst",
        "Canarylast",
        "98 76 54 32",
        &user.email,
    ];
    for answer in [&registered, &refreshed.body, &changed] {
        for token in ["access_token", "refresh_token", "device"] {
            secrets.extend(answer[token].as_str());
        }
    }
    assert!(secrets.len() > 13, "{secrets:?}");
    for unit in Unit::ALL {
        for line in stack.process(unit).log() {
            let leaked = secrets.iter().find(|secret| line.contains(**secret));
            assert_eq!(leaked, None, "{unit:?}: {line}");
        }
    }
}
