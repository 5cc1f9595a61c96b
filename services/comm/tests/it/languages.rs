//! In which language a user reads notifications.

use events::{Role, StudentId, UserId};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, Unit, User, eventually, stack::Links};
use uuid::Uuid;

const LIST: &str = "/comm/api/notifications/";
const SOON: Duration = Duration::from_secs(10);
const ENGLISH: &str = "Welcome to MedTrack!";
const FRENCH: &str = "Bienvenue sur MedTrack\u{a0}!";
const ARABIC: &str = "مرحبا بك في MedTrack!";

/// The API, and the consumer without profile-service: the tests publish its events.
async fn comm() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::Comm, Unit::CommConsumer])
        .await;
    stack
}

async fn publish(stack: &Stack, key: &str, payload: Value, version: i64) {
    let meta = json!({"event_id": Uuid::now_v7(), "timestamp": "2026-01-05T10:00:00Z", "aggregate_version": version,
                      "source": "profile-service"});
    let body = json!({"payload": payload, "_meta": meta}).to_string();
    stack.vhost.publish(key, body).await;
}

fn student(user_id: UserId, locale: Option<&str>) -> Value {
    json!({"user_id": user_id, "student_id": user_id, "first_name": "Amina", "last_name": "Benali", "locale": locale})
}

/// A student who has chosen this language, and is welcomed.
async fn welcomed(stack: &Stack, locale: Option<&str>) -> User {
    let user = stack.client.register(Role::Student).await;
    publish(stack, "student.created", student(user.user_id, locale), 1).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    user
}

async fn language_is(stack: &Stack, user_id: UserId, language: &str) {
    let is_so = format!(
        "exists (select from communications_recipient where user_id = '{user_id}' and language = '{language}')"
    );
    eventually(SOON, language, async || stack.comm.is(&is_so).await).await;
}

/// Asks with this `Accept-Language`; empty for none.
async fn ask(stack: &Stack, path: &str, user: &User, accepted: &str) -> Response {
    let request = reqwest::Client::new()
        .get(stack.client.url(path))
        .bearer_auth(&user.token);
    let request = match accepted {
        "" => request,
        accepted => request.header(header::ACCEPT_LANGUAGE, accepted),
    };
    request.send().await.expect("the service answers")
}

#[tokio::test]
async fn the_language_is_the_one_asked_for_else_the_accepted_one_else_the_users_else_english() {
    let stack = comm().await;
    let (chosen, silent) = (
        welcomed(&stack, Some("fr")).await,
        welcomed(&stack, None).await,
    );
    for (user, query, accepted, language, title) in [
        (&chosen, "", "", "fr", FRENCH),
        (&silent, "", "", "en", ENGLISH),
        (&chosen, "", "ar-DZ, fr;q=0.8", "ar", ARABIC),
        (&chosen, "", "de, it;q=0.5", "fr", FRENCH),
        (&silent, "", "de", "en", ENGLISH),
        (&chosen, "?lang=en", "ar", "en", ENGLISH),
        (&silent, "?lang=ar&limit=5", "fr", "ar", ARABIC),
        (&chosen, "?lang=", "", "fr", FRENCH),
    ] {
        let case = format!("{query} {accepted}");
        let response = ask(&stack, &format!("{LIST}{query}"), user, accepted).await;
        let headers = response.headers().clone();
        let body: Value = response.json().await.expect("JSON");
        let first = if body.is_array() {
            &body[0]
        } else {
            &body["data"][0]
        };
        assert_eq!(first["title"], title, "{case}");
        assert_eq!(headers["content-language"], language, "{case}");
        let vary: Vec<_> = headers.get_all(header::VARY).iter().collect();
        let varies = vary.iter().any(|value| {
            value
                .to_str()
                .is_ok_and(|text| text.contains("accept-language"))
        });
        assert!(varies, "{case}: {vary:?}");
    }
}

#[tokio::test]
async fn each_route_that_shows_texts_knows_the_language() {
    let stack = comm().await;
    let user = welcomed(&stack, Some("fr")).await;
    let id = stack.client.notifications(&user).await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let one = stack
        .client
        .get(&format!("{LIST}{id}/?lang=ar"), &user)
        .await;
    assert_eq!(one.body["title"], ARABIC);
    let content = "مرحبا \u{2068}Amina Benali\u{2069}! تم إنشاء ملف الطالب الخاص بك بنجاح.";
    assert_eq!(one.body["content"], content);
    let count = async |query: &str| {
        let path = format!("{LIST}unread-count/{query}");
        stack.client.get(&path, &user).await.body
    };
    let one_unread = json!({"unread_count": 1, "text": "Vous avez 1 notification non lue."});
    assert_eq!(count("").await, one_unread);
    let read = format!("{LIST}{id}/read/?lang=ar");
    let read = stack
        .client
        .ask(Method::POST, &read, Some(&user.token), None);
    assert_eq!(read.await.unwrap().body["title"], ARABIC);
    let none_unread = json!({"unread_count": 0, "text": "ليست لديك إشعارات غير مقروءة."});
    assert_eq!(count("?lang=ar").await, none_unread);
    let export = stack.client.get("/comm/api/export/?lang=en", &user).await;
    assert_eq!(
        (
            &export.body["language"],
            &export.body["notifications"][0]["title"]
        ),
        (&json!("fr"), &json!(ENGLISH))
    );
    // What the seed's look-up shows stays English.
    let arguments = ["notifications", "--latest"];
    let environment = [("DATABASE_URL", stack.comm.url.clone())];
    let shown = test_support::Process::run("comm-service", &arguments, &environment).await;
    assert_eq!(
        shown,
        [
            "Notification: Welcome to MedTrack!",
            "Content: Hello Amina Benali! Your student profile has been created successfully."
        ]
    );
}

#[tokio::test]
async fn a_language_without_texts_is_refused_with_all_that_is_wrong() {
    let stack = comm().await;
    let user = welcomed(&stack, None).await;
    for (path, fields) in [
        (format!("{LIST}?lang=de&page=0"), json!(["lang", "page"])),
        (format!("{LIST}?lang=AR"), json!(["lang"])),
        (format!("{LIST}unread-count/?lang=../fr"), json!(["lang"])),
        (
            format!("{LIST}{}/?lang=fr-FR", Uuid::now_v7()),
            json!(["lang"]),
        ),
    ] {
        let response = stack.client.get(&path, &user).await;
        let errors = response.body["errors"].as_object().expect("errors");
        let wrong: Vec<&String> = errors.keys().collect();
        assert_eq!((response.status, json!(wrong)), (400, fields), "{path}");
    }
}

#[tokio::test]
async fn a_row_without_arguments_shows_the_text_that_it_stores() {
    let stack = comm().await;
    let user = welcomed(&stack, Some("ar")).await;
    let add = format!(
        "insert into communications_notification
             (id, user_id, kind, source_event, type, title, content, arguments, created_at, related_object_type)
         values (gen_random_uuid(), '{0}', 'welcome', gen_random_uuid(), 'system', 'Old', 'Hello <b>', null, now(), null),
                (gen_random_uuid(), '{0}', 'stage.archived', gen_random_uuid(), 'system', 'Later', 'x', '{{}}', now(), null),
                (gen_random_uuid(), '{0}', 'stage.created', gen_random_uuid(), 'system', 'Odd', 'x', '[1]', now(), null)",
        user.user_id
    );
    stack.comm.run(&add).await;
    let list = stack.client.notifications(&user).await;
    let mut titles: Vec<&str> = list
        .iter()
        .map(|notice| notice["title"].as_str().expect("a title"))
        .collect();
    titles.sort_unstable();
    assert_eq!(titles, ["Later", "Odd", "Old", ARABIC]);
}

#[tokio::test]
async fn the_newest_event_says_the_language_and_a_deletion_forgets_it() {
    let stack = comm().await;
    let (user_id, encadrant) = (UserId::new(), UserId::new());
    publish(&stack, "student.created", student(user_id, Some("en")), 1).await;
    language_is(&stack, user_id, "en").await;
    publish(&stack, "student.updated", student(user_id, Some("fr")), 3).await;
    language_is(&stack, user_id, "fr").await;
    publish(&stack, "student.updated", student(user_id, Some("ar")), 2).await;
    publish(&stack, "student.updated", student(user_id, None), 4).await;
    publish(&stack, "student.updated", student(user_id, Some("tlh")), 5).await;
    let profile =
        |locale| json!({"user_id": encadrant, "encadrant_id": StudentId::new(), "locale": locale});
    publish(&stack, "encadrant.created", profile("en"), 1).await;
    publish(&stack, "encadrant.updated", profile("ar"), 2).await;
    language_is(&stack, encadrant, "ar").await;
    eventually(SOON, "all are handled", async || {
        stack.comm.count("inbox").await == 7
    })
    .await;
    language_is(&stack, user_id, "fr").await;

    let deleted = json!({"user_id": user_id, "email": "a@example.com"});
    publish(&stack, "auth.user.deleted", deleted, 6).await;
    publish(&stack, "student.updated", student(user_id, Some("fr")), 7).await;
    eventually(SOON, "all are handled", async || {
        stack.comm.count("inbox").await == 9
    })
    .await;
    let forgotten = format!(
        "exists (select from communications_recipient where user_id = '{user_id}' and erased and language is null)"
    );
    assert!(stack.comm.is(&forgotten).await);
}

#[tokio::test]
async fn a_notification_links_to_the_page_that_the_setting_names() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.set(
        "NOTICE_LINKS",
        "stage=https://front.example/stages/{id},evaluation=https://front.example/#/e/{id}",
    );
    stack
        .start_units(&[Unit::Auth, Unit::Comm, Unit::CommConsumer])
        .await;
    let user = welcomed(&stack, None).await;
    let stage = Uuid::now_v7();
    let payload = json!({"student_id": user.user_id, "stage_id": stage});
    publish(&stack, "stage.created", payload, 1).await;
    let list = eventually(SOON, "both notices", async || {
        let list = stack.client.notifications(&user).await;
        (list.len() == 2).then_some(list)
    })
    .await;
    let link = |kind: &str| {
        let about = |notice: &&Value| notice["related_object_type"] == kind;
        list.iter().find(about).expect("a notice")["link"].clone()
    };
    assert_eq!(
        link("stage"),
        format!("https://front.example/stages/{stage}")
    );
    assert_eq!(link("student"), Value::Null);

    let wrong = [("NOTICE_LINKS", "stage=javascript:alert(1)".to_owned())];
    let mut refused = test_support::Process::start("comm-service", &["serve"], &wrong);
    refused.line("is no address of a page").await;
    assert!(!refused.exit(SOON).await.success());
}
