//! What users do with their notifications.

use crate::inbox::{LIST, add_notices, path, welcomed};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Stack, User, client::Answer};
use uuid::Uuid;

pub(crate) async fn post(stack: &Stack, user: &User, path: &str, body: Option<Value>) -> Answer {
    let token = Some(user.token.as_str());
    let response = stack.client.ask(Method::POST, path, token, body.as_ref());
    response.await.expect("the service answers")
}

async fn delete(stack: &Stack, user: &User, path: &str) -> Answer {
    let token = Some(user.token.as_str());
    let response = stack.client.ask(Method::DELETE, path, token, None);
    response.await.expect("the service answers")
}

/// The state of the inbox: `(seq, unread)`.
async fn state(stack: &Stack, user: &User) -> (i64, i64) {
    let body = stack
        .client
        .get(&format!("{LIST}changes/"), user)
        .await
        .body;
    let number = |name: &str| body[name].as_i64().expect("a number");
    (number("seq"), number("unread"))
}

async fn ids(stack: &Stack, user: &User, query: &str) -> Vec<Value> {
    let list = stack
        .client
        .get(&format!("{LIST}?{query}"), user)
        .await
        .body;
    let list = list["data"]
        .as_array()
        .or(list.as_array())
        .expect("a list")
        .clone();
    list.into_iter()
        .map(|mut notification| notification["id"].take())
        .collect()
}

#[tokio::test]
async fn each_change_moves_the_position_once_and_the_count_by_what_it_changed() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    assert_eq!(state(&stack, &user).await, (1, 1));
    // What is done, and the state afterwards.
    for (verb, expected) in [
        ("read", (2, 0)),
        ("read", (2, 0)),
        ("archive", (3, 0)),
        ("unread", (4, 0)),
        ("unread", (4, 0)),
        ("unarchive", (5, 1)),
        ("archive", (6, 0)),
        ("unarchive", (7, 1)),
        ("restore", (7, 1)),
    ] {
        let changed = post(&stack, &user, &path(&notice, verb), None).await;
        assert_eq!(changed.status, 200, "{verb}: {}", changed.body);
        assert_eq!(changed.body["id"], notice["id"]);
        assert_eq!(state(&stack, &user).await, expected, "{verb}");
    }
    let deleted = delete(&stack, &user, &path(&notice, "")).await;
    assert_eq!((deleted.status, state(&stack, &user).await), (200, (8, 0)));
    let message = json!({"success": true, "message": "Notification deleted"});
    assert_eq!(deleted.body, message, "as the old front end knows it");
}

#[tokio::test]
async fn what_is_archived_or_deleted_is_not_in_the_inbox_and_comes_back() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    let id = vec![notice["id"].clone()];
    post(&stack, &user, &path(&notice, "archive/"), None).await;
    assert_eq!(ids(&stack, &user, "").await, Vec::<Value>::new());
    assert_eq!(ids(&stack, &user, "unread=true").await, Vec::<Value>::new());
    assert_eq!(ids(&stack, &user, "archived=true").await, id);
    assert_eq!(ids(&stack, &user, "archived=true&limit=5").await, id);
    post(&stack, &user, &path(&notice, "unarchive/"), None).await;
    assert_eq!(ids(&stack, &user, "unread=true").await, id);

    delete(&stack, &user, &path(&notice, "")).await;
    assert_eq!(ids(&stack, &user, "").await, Vec::<Value>::new());
    assert_eq!(
        stack.client.get(&path(&notice, ""), &user).await.status,
        404
    );
    for verb in ["read/", "unread/", "archive/", "unarchive/"] {
        let response = post(&stack, &user, &path(&notice, verb), None).await;
        assert_eq!(response.status, 404, "{verb}");
    }
    assert_eq!(delete(&stack, &user, &path(&notice, "")).await.status, 404);
    let restored = post(&stack, &user, &path(&notice, "restore/"), None).await;
    assert_eq!(
        (restored.status, &restored.body["title"]),
        (200, &notice["title"])
    );
    assert_eq!(ids(&stack, &user, "").await, id);

    delete(&stack, &user, &path(&notice, "")).await;
    let age = "update communications_notification set deleted_at = now() - interval '11 minutes'";
    stack.comm.run(age).await;
    let late = post(&stack, &user, &path(&notice, "restore/"), None).await;
    assert_eq!(late.status, 404, "{}", late.body);
}

#[tokio::test]
async fn another_users_notification_cannot_be_changed() {
    let stack = Stack::start().await;
    let (_, hers) = welcomed(&stack, Role::Student).await;
    let (bob, _) = welcomed(&stack, Role::Student).await;
    for verb in ["read", "unread", "archive", "unarchive", "restore"] {
        let response = post(&stack, &bob, &path(&hers, verb), None).await;
        assert_eq!(response.status, 404, "{verb}");
    }
    assert_eq!(delete(&stack, &bob, &path(&hers, "")).await.status, 404);
    let strange = [Uuid::now_v7().to_string(), "not-an-id".to_owned()];
    for id in strange {
        assert_eq!(
            delete(&stack, &bob, &format!("{LIST}{id}/")).await.status,
            404
        );
    }
    let all = post(&stack, &bob, &format!("{LIST}read-all/"), None).await;
    assert_eq!(all.body, json!({"updated": 1, "unread_count": 0}));
    let is_untouched = format!(
        "exists (select from communications_notification where id = '{}' and read_at is null and archived_at is null
                 and deleted_at is null and changed_seq = 1)",
        hers["id"].as_str().unwrap()
    );
    assert!(stack.comm.is(&is_untouched).await);
}

#[tokio::test]
async fn all_is_read_up_to_what_the_client_has_seen() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    add_notices(&stack, &user, 3).await;
    let (seq, unread) = state(&stack, &user).await;
    assert_eq!(unread, 4);
    add_notices(&stack, &user, 2).await;
    let read_all = format!("{LIST}read-all/");
    let until = json!({"until_seq": seq});
    let seen = post(&stack, &user, &read_all, Some(until.clone())).await;
    assert_eq!(seen.body, json!({"updated": 4, "unread_count": 2}));
    let (position, _) = state(&stack, &user).await;
    let again = post(&stack, &user, &read_all, Some(until)).await;
    assert_eq!(again.body, json!({"updated": 0, "unread_count": 2}));
    assert_eq!(
        state(&stack, &user).await,
        (position, 2),
        "nothing has changed"
    );
    let wrong = post(&stack, &user, &read_all, Some(json!({"until_seq": -1}))).await;
    assert_eq!(wrong.status, 400);
    let all = post(&stack, &user, &read_all, None).await;
    assert_eq!(all.body, json!({"updated": 2, "unread_count": 0}));
}

#[tokio::test]
async fn a_list_is_read_by_cursor_while_new_notifications_arrive() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    add_notices(&stack, &user, 24).await;
    let (mut cursor, mut titles) = (json!("newest"), Vec::new());
    while let Some(at) = cursor.as_str() {
        let part = format!("{LIST}?limit=10&cursor={at}");
        let part = stack.client.get(&part, &user).await.body;
        let data = part["data"].as_array().expect("a part").iter();
        titles.extend(data.map(|notice| notice["title"].as_str().unwrap().to_owned()));
        cursor = part["next_cursor"].clone();
        stack.client.register(Role::Student).await;
        let new = format!(
            "insert into communications_notification (id, user_id, kind, source_event, type, title, content)
             values (gen_random_uuid(), '{}', 'late', gen_random_uuid(), 'system', 'late', '')",
            user.user_id
        );
        stack.comm.run(&new).await;
    }
    let mut expected: Vec<String> = (1..=24).rev().map(|i| format!("Notice {i}")).collect();
    expected.push("Welcome to MedTrack!".to_owned());
    assert_eq!(titles, expected);
    let wrong = stack.client.get(&format!("{LIST}?cursor=1"), &user).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn lists_are_filtered_by_what_they_are_about() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    add_notices(&stack, &user, 3).await;
    let id = vec![notice["id"].clone()];
    let object = notice["related_object_id"].as_str().unwrap();
    assert_eq!(ids(&stack, &user, "related_object_type=student").await, id);
    let about = format!("related_object_id={object}&limit=5");
    assert_eq!(ids(&stack, &user, &about).await, id);
    let about = format!("related_object_id={}", Uuid::now_v7());
    assert_eq!(ids(&stack, &user, &about).await, Vec::<Value>::new());
    let wrong = stack
        .client
        .get(&format!("{LIST}?related_object_id=x"), &user)
        .await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn the_list_of_a_user_is_for_the_user() {
    let stack = Stack::start().await;
    let (alice, hers) = welcomed(&stack, Role::Student).await;
    let (bob, _) = welcomed(&stack, Role::Encadrant).await;
    let of_alice = format!("{LIST}user/{}/", alice.user_id);
    let list = stack.client.get(&of_alice, &alice).await;
    assert_eq!((list.status, list.body), (200, json!([hers])));
    assert_eq!(stack.client.get(&of_alice, &bob).await.status, 404);
    let none = format!("{LIST}user/x/");
    assert_eq!(stack.client.get(&none, &bob).await.status, 404);
}

#[tokio::test]
async fn each_answer_says_of_which_state_it_is() {
    let stack = Stack::start().await;
    let (user, notice) = welcomed(&stack, Role::Student).await;
    let changes = stack
        .client
        .get(&format!("{LIST}changes/"), &user)
        .await
        .body;
    let epoch = changes["epoch"].as_str().expect("an epoch").to_owned();
    let http = reqwest::Client::new();
    for (method, rest, seq) in [
        (Method::GET, LIST.to_owned(), 1),
        (Method::GET, format!("{LIST}?cursor=newest"), 1),
        (Method::GET, format!("{LIST}?page=1"), 1),
        (Method::GET, format!("{LIST}unread-count/"), 1),
        (Method::GET, format!("{LIST}changes/"), 1),
        (Method::POST, path(&notice, "archive/"), 2),
        (Method::DELETE, path(&notice, ""), 3),
        (Method::POST, path(&notice, "restore/"), 4),
        (Method::POST, format!("{LIST}read-all/"), 4),
    ] {
        let request = http.request(method, stack.client.url(&rest));
        let response = request.bearer_auth(&user.token).send().await.unwrap();
        let position = response.headers()["x-inbox-seq"].to_str().unwrap();
        assert_eq!(position, format!("{epoch}.{seq}"), "{rest}");
    }
}
