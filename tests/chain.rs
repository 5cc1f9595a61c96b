//! The documented chain, seen from outside: a registration becomes a profile and one welcome.

use chrono::{DateTime, Utc};
use events::{Role, UserId, topology::queues};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_support::{
    Account, Message, Process, Stack, Unit,
    client::{PASSWORD, REGISTER, newcomer},
    eventually,
};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(5);

/// The welcome of somebody, once it is there.
async fn welcome(stack: &Stack, account: &Account) -> Value {
    let list = async || {
        let notifications = stack.client.notifications(account).await;
        (!notifications.is_empty()).then_some(notifications)
    };
    let mut notifications = eventually(SOON, "a welcome", list).await;
    assert_eq!(notifications.len(), 1, "one welcome: {notifications:?}");
    notifications.remove(0)
}

fn id(value: &Value) -> Uuid {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("not a UUID string: {value}"))
}

/// What holds for every event (features.md §4.3); returns its `_meta`.
fn assert_envelope(message: &Message, source: &str) -> Value {
    let body = message.json();
    let fields: Vec<&String> = body.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["_meta", "payload"]);
    let meta = body["_meta"].clone();
    let timestamp = meta["timestamp"].as_str().expect("a timestamp");
    assert!(timestamp.ends_with('Z'), "UTC: {timestamp}");
    let age = Utc::now() - timestamp.parse::<DateTime<Utc>>().expect("ISO 8601");
    assert!(age.num_seconds().abs() < 5, "{timestamp}");
    assert_eq!(meta["routing_key"], message.routing_key.as_str());
    assert_eq!(meta["source"], source);
    assert_eq!(
        (&meta["aggregate_version"], &meta["schema_version"]),
        (&json!(1), &json!(1))
    );
    id(&meta["aggregate_id"]);

    let properties = &message.properties;
    let text = |text: Option<&str>| text.map(str::to_owned);
    assert_eq!(*properties.delivery_mode(), Some(2), "persistent");
    assert_eq!(
        text(properties.content_type().as_ref().map(|t| t.as_str())).as_deref(),
        Some("application/json")
    );
    assert_eq!(
        properties.message_id().as_ref().map(|t| t.as_str()),
        meta["event_id"].as_str()
    );
    assert_eq!(
        properties.correlation_id().as_ref().map(|t| t.as_str()),
        meta["correlation_id"].as_str()
    );
    assert_eq!(
        properties.kind().as_ref().map(|t| t.as_str()),
        Some(message.routing_key.as_str())
    );
    assert_eq!(
        properties.app_id().as_ref().map(|t| t.as_str()),
        Some(source)
    );
    assert!(properties.timestamp().is_some());
    meta
}

#[tokio::test]
async fn a_student_and_an_encadrant_are_welcomed() {
    let stack = Stack::start().await;
    let tap = stack.vhost.tap("#").await;

    let student = stack.client.register(Role::Student).await;
    let notice = welcome(&stack, &student).await;
    let created = tap
        .hear(|message| message.routing_key == "auth.user.created")
        .await;
    let profiled = tap
        .hear(|message| message.routing_key == "student.created")
        .await;

    // The answer to the registration, and the event that tells of it.
    assert_eq!(student.body["token_type"], "Bearer");
    assert!(student.token.starts_with("eyJ"));
    assert_eq!(student.body["user"]["role"], "student");
    let first = assert_envelope(&created, "auth-service");
    assert_eq!(first["causation_id"], Value::Null, "the root of the chain");
    let told = &created.json()["payload"];
    let user = &student.body["user"];
    for field in ["email", "first_name", "last_name", "role"] {
        assert_eq!(told[field], user[field], "{field}");
    }
    assert_eq!(told["user_id"], user["id"]);
    told["created_at"]
        .as_str()
        .and_then(|time| time.parse::<DateTime<Utc>>().ok())
        .expect("created_at is ISO 8601");

    // The profile, and the event that tells of it.
    let second = assert_envelope(&profiled, "profile-service");
    assert_eq!(
        second["correlation_id"], first["correlation_id"],
        "one chain"
    );
    assert_eq!(second["causation_id"], first["event_id"], "its cause");
    let told = &profiled.json()["payload"];
    assert_eq!(told["user_id"], user["id"]);
    assert_eq!(
        (&told["first_name"], &told["last_name"], &told["email"]),
        (&user["first_name"], &user["last_name"], &user["email"])
    );
    let student_id = id(&told["student_id"]);
    let profile = stack.client.get("/profile/api/me", &student).await;
    assert_eq!(
        (profile.status, &profile.body["id"]),
        (200, &told["student_id"]),
        "{}",
        profile.body
    );
    let row = format!(
        "profiles_student where id = '{student_id}' and user_id = '{}' and email = '{}' and first_name = 'John' and last_name = 'Doe'",
        student.user_id, student.email
    );
    assert_eq!(stack.profile.count(&row).await, 1);

    // The welcome, to the letter.
    assert_eq!(notice["type"], "system");
    assert_eq!(notice["title"], "Welcome to MedTrack!");
    assert_eq!(
        notice["content"],
        "Hello John Doe! Your student profile has been created successfully."
    );
    assert_eq!(notice["related_object_type"], "student");
    assert_eq!(id(&notice["related_object_id"]), student_id);
    assert_eq!(
        notice["metadata"],
        json!({"student_id": student_id, "event": "student.created"})
    );
    assert_eq!(notice["user_id"], user["id"]);
    assert_eq!(notice["read_at"], Value::Null);
    let newest = "select concat_ws('|', user_id, type, title, content, related_object_type, related_object_id, metadata->>'event')
        from communications_notification order by created_at desc limit 1";
    assert_eq!(
        stack.comm.value(newest).await,
        format!(
            "{}|system|Welcome to MedTrack!|Hello John Doe! Your student profile has been created successfully.\
             |student|{student_id}|student.created",
            student.user_id
        )
    );

    // An encadrant beside, who sees only their own.
    let encadrant = stack.client.register(Role::Encadrant).await;
    let other = welcome(&stack, &encadrant).await;
    let profiled = tap
        .hear(|message| message.routing_key == "encadrant.created")
        .await;
    assert_envelope(&profiled, "profile-service");
    let told = profiled.json()["payload"].clone();
    assert_eq!(
        told.get("specialization"),
        Some(&Value::Null),
        "the key is there, null until known: {told}"
    );
    assert_eq!(other["title"], "Welcome as Encadrant!");
    assert_eq!(
        other["content"],
        "Hello Dr. Doe! Your encadrant profile has been created. You can now supervise students during their internships."
    );
    assert_eq!(
        (&other["related_object_type"], &other["related_object_id"]),
        (&json!("encadrant"), &told["encadrant_id"])
    );
    let foreign = stack
        .client
        .get(
            &format!(
                "/comm/api/notifications/{}/",
                notice["id"].as_str().unwrap()
            ),
            &encadrant,
        )
        .await;
    assert_eq!(
        foreign.status, 404,
        "another user's notification does not exist"
    );

    // auth-service learns which profile was made.
    eventually(SOON, "users/me knows the profile", async || {
        let me = stack.client.get("/auth/api/v1/users/me", &student).await;
        me.body["profile_id"] == json!(student_id)
    })
    .await;

    let row = format!("profiles_encadrant where user_id = '{}'", encadrant.user_id);
    assert_eq!(stack.profile.count(&row).await, 1);
    assert_eq!(stack.auth.count("users_user").await, 2);

    assert_nothing_secret(&tap.heard(), &[&student, &encadrant]);
    assert_log_lines(&stack, &student, &encadrant).await;
    assert_observable(&stack).await;
}

/// What operators and orchestrators ask every process.
async fn assert_observable(stack: &Stack) {
    for unit in Unit::ALL {
        let internal = ("INTERNAL_ADDR", stack.internal(unit).to_string());
        Process::run("auth-service", &["healthcheck"], &[internal]).await;
    }
    let nobody = ("INTERNAL_ADDR", test_support::port::free().to_string());
    let mut asking = Process::start("auth-service", &["healthcheck"], &[nobody]);
    assert_eq!(
        asking.exit(SOON).await.code(),
        Some(1),
        "nobody is not healthy"
    );
    Process::run("profile-service", &["consume_events", "--help"], &[]).await;

    let url = format!("http://{}/metrics", stack.internal(Unit::ProfileConsumer));
    for metric in [
        "medtrack_outbox_depth 0",
        "medtrack_outbox_age_seconds 0",
        "medtrack_parked_events{state=\"dead\"} 0",
        "medtrack_events_published_total{routing_key=\"student.created\"} 1",
        "medtrack_events_handled_total{routing_key=\"auth.user.created\"} 2",
        "medtrack_handler_seconds_count{routing_key=\"auth.user.created\"}",
        "medtrack_end_to_end_seconds_count{routing_key=\"auth.user.created\"} 2",
    ] {
        // The relay counts its table every 5 s.
        eventually(2 * SOON, metric, async || {
            let response = reqwest::get(&url).await.expect("the internal port answers");
            response.text().await.expect("in text").contains(metric)
        })
        .await;
    }
}

/// No event carries a password, a hash or a token.
fn assert_nothing_secret(heard: &[Message], accounts: &[&Account]) {
    assert!(heard.len() >= 4, "two chains of two events");
    for message in heard {
        let body = String::from_utf8_lossy(&message.body);
        for secret in [PASSWORD, "$argon2", "eyJ", "password", "refresh_token"] {
            assert!(
                !body.contains(secret),
                "{secret} in {}",
                message.routing_key
            );
        }
        for account in accounts {
            assert!(
                !body.contains(
                    account.body["refresh_token"]
                        .as_str()
                        .expect("a refresh token")
                )
            );
        }
    }
}

/// The lines that the seed greps for, and none with a secret (features.md §4.8).
async fn assert_log_lines(stack: &Stack, student: &Account, encadrant: &Account) {
    let (auth, profile, comm) = (
        stack.process(Unit::Auth),
        stack.process(Unit::ProfileConsumer),
        stack.process(Unit::CommConsumer),
    );
    let line = auth.line("Published event: auth.user.created").await;
    assert!(
        line.contains("INFO Published event: auth.user.created"),
        "time, level, text: {line}"
    );
    assert!(auth.log().iter().any(|line| line.contains("RabbitMQ")));
    profile
        .line(&format!(
            "INFO ✅ Created student profile for user {}",
            student.user_id
        ))
        .await;
    profile
        .line(&format!(
            "INFO ✅ Created encadrant profile for user {}",
            encadrant.user_id
        ))
        .await;
    profile.line("INFO Published event: student.created").await;
    profile
        .line("INFO Published event: encadrant.created")
        .await;
    for account in [student, encadrant] {
        comm.line(&format!(
            "INFO ✅ Created notification for user {}",
            account.user_id
        ))
        .await;
    }
    for unit in Unit::CONSUMERS {
        stack.process(unit).line("Waiting for events...").await;
    }
    for unit in Unit::ALL {
        for line in stack.process(unit).log() {
            for secret in [
                PASSWORD,
                "eyJ",
                "$argon2",
                "amqp://",
                "postgres://",
                &student.email,
                &encadrant.email,
            ] {
                assert!(!line.contains(secret), "{unit:?}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_nobodys_business_has_no_effect() {
    let stack = Stack::start().await;
    let events = "outbox where routing_key = 'auth.user.created'";

    // A registration that fails tells nobody.
    let taken = newcomer(Role::Student);
    assert_eq!(stack.client.post(REGISTER, &taken).await.status, 201);
    let invalid = json!({"email": "no address", "password": "short", "role": "student"});
    let mut admin = taken.clone();
    admin["email"] = json!("root@example.com");
    admin["role"] = json!("admin");
    for (body, status) in [(&taken, 409), (&invalid, 400), (&admin, 403)] {
        let response = stack.client.post(REGISTER, body).await;
        assert_eq!(response.status, status, "{}", response.body);
        assert!(response.body["code"].is_string(), "{}", response.body);
    }
    assert_eq!(stack.auth.count(events).await, 1);
    assert_eq!(stack.auth.count("users_user").await, 1);

    // An admin gets no profile and no welcome; nobody handles an unknown key. What comes behind them is handled.
    let foreign = |key: &str, payload: Value| {
        let meta = json!({"timestamp": "2025-12-13T19:27:02.415000Z", "routing_key": key, "source": "auth-service"});
        json!({"payload": payload, "_meta": meta}).to_string()
    };
    let person = |role: &str| json!({"user_id": UserId::new(), "email": "x@example.com", "first_name": "X", "last_name": "Y", "role": role});
    let key = "auth.user.created";
    stack
        .vhost
        .publish(key, foreign(key, person("admin")))
        .await;
    stack
        .vhost
        .publish("student.exploded", foreign("student.exploded", json!({})))
        .await;
    stack
        .vhost
        .publish(key, foreign(key, person("student")))
        .await;
    eventually(SOON, "two students are welcomed", async || {
        stack.comm.count("communications_notification").await == 2
    })
    .await;
    let line = stack
        .process(Unit::CommConsumer)
        .line("No handler for routing key: student.exploded")
        .await;
    assert!(line.contains("WARN"), "{line}");
    assert_eq!(stack.profile.count("profiles_student").await, 2);
    assert_eq!(stack.profile.count("profiles_encadrant").await, 0);
    assert_eq!(
        stack.profile.count("inbox").await,
        3,
        "the admin's event was taken"
    );
    for queue in queues() {
        eventually(SOON, "queues are empty", async || {
            stack.vhost.depth(queue.name).await == Some(0)
        })
        .await;
        assert_eq!(stack.vhost.depth(queue.crashed).await, Some(0));
    }
    for database in [&stack.auth, &stack.profile, &stack.comm] {
        assert_eq!(database.count("parked_event").await, 0);
    }

    assert_topology(
        &stack.vhost.inspect("exchanges").await,
        &stack.vhost.inspect("queues").await,
    );
    assert_schema_is_commented(&stack).await;
}

/// The exchange and the queues survive a restart of the broker (features.md §4.2).
fn assert_topology(exchanges: &Value, queues: &Value) {
    let named = |list: &Value, name: &str| -> Value {
        let list = list.as_array().expect("a list");
        list.iter()
            .find(|item| item["name"] == name)
            .unwrap_or_else(|| panic!("no {name}"))
            .clone()
    };
    let exchange = named(exchanges, "events.topic");
    assert_eq!(
        (&exchange["type"], &exchange["durable"]),
        (&json!("topic"), &json!(true))
    );
    assert_eq!(
        exchange["arguments"],
        json!({}),
        "a foreign publisher declares it plainly"
    );
    for queue in ["auth.events", "profile.events", "comm.events"] {
        let found = named(queues, queue);
        assert_eq!(
            (&found["type"], &found["durable"]),
            (&json!("quorum"), &json!(true)),
            "{queue}"
        );
        assert_eq!(found["arguments"]["x-delivery-limit"], 20);
        assert_eq!(named(queues, &format!("{queue}.crashed"))["durable"], true);
    }
}

/// A stranger understands the tables without the source.
async fn assert_schema_is_commented(stack: &Stack) {
    for database in [&stack.auth, &stack.profile, &stack.comm] {
        let uncommented = "pg_class join pg_attribute on attrelid = pg_class.oid
            where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like '\\_%'
              and attnum > 0 and not attisdropped
              and (col_description(attrelid, attnum) is null or obj_description(attrelid) is null)";
        assert_eq!(
            database.count(uncommented).await,
            0,
            "comment on each table and column"
        );
    }
}

#[tokio::test]
async fn registration_waits_for_no_consumer() {
    let mut stack = Stack::prepare(test_support::Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Profile, Unit::Comm])
        .await;
    // Declared by whoever connects first, so that nothing is lost before a consumer's first start.
    eventually(SOON, "the queue is there", async || {
        stack.vhost.depth("profile.events").await.is_some()
    })
    .await;

    const MANY: u32 = 10;
    let mut accounts = Vec::new();
    for _ in 0..MANY {
        let began = Instant::now();
        accounts.push(stack.client.register(Role::Student).await);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
    eventually(SOON, "all wait in the queue", async || {
        stack.vhost.depth("profile.events").await >= Some(MANY)
    })
    .await;
    assert!(stack.client.notifications(&accounts[0]).await.is_empty());

    stack.start_units(&Unit::CONSUMERS).await;
    for account in &accounts {
        welcome(&stack, account).await;
    }
}
