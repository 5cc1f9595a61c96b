//! The inbox, as its user sees it.

use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, User, eventually};
use uuid::Uuid;

pub(crate) const LIST: &str = "/comm/api/notifications/";

pub(crate) async fn welcomed(stack: &Stack, role: Role) -> (User, Value) {
    let user = stack.client.register(role).await;
    let first = eventually(Duration::from_secs(5), "a welcome", async || {
        stack.client.notifications(&user).await.into_iter().next()
    })
    .await;
    (user, first)
}

/// More notices than a page, the newest last.
pub(crate) async fn add_notices(stack: &Stack, user: &User, number: i32) {
    let add = format!(
        "insert into communications_notification (id, user_id, kind, source_event, type, title, content, created_at)
         select gen_random_uuid(), '{}', 'test', gen_random_uuid(), 'system', 'Notice ' || i, '', now() + i * interval '1 ms'
         from generate_series(1, {number}) as i",
        user.user_id
    );
    stack.comm.run(&add).await;
}

pub(crate) fn path(notification: &Value, rest: &str) -> String {
    let id = notification["id"].as_str().expect("an id");
    format!("{LIST}{id}/{rest}")
}

async fn status(stack: &Stack, (method, path): (Method, &str), user: Option<&User>) -> u16 {
    let token = user.map(|user| user.token.as_str());
    let response = stack.client.ask(method, path, token, None).await;
    response.expect("the service answers").status
}

#[tokio::test]
async fn other_users_notification_is_404() {
    let stack = Stack::start().await;
    let (alice, hers) = welcomed(&stack, Role::Student).await;
    let (bob, _) = welcomed(&stack, Role::Encadrant).await;
    assert_eq!(stack.client.get(&path(&hers, ""), &alice).await.body, hers);
    for other in [
        path(&hers, ""),
        format!("{LIST}{}/", Uuid::now_v7()),
        format!("{LIST}not-an-id/"),
    ] {
        let response = stack.client.get(&other, &bob).await;
        let code = (response.status, &response.body["code"]);
        assert_eq!(code, (404, &json!("NOT_FOUND")), "{other}");
        assert_eq!(status(&stack, (Method::GET, &other), None).await, 401);
    }
}

#[tokio::test]
async fn list_is_only_mine() {
    let stack = Stack::start().await;
    let (alice, hers) = welcomed(&stack, Role::Student).await;
    let (bob, his) = welcomed(&stack, Role::Encadrant).await;
    let titles = (&hers["title"], &his["title"]);
    let expected = (
        json!("Welcome to MedTrack!"),
        json!("Welcome as Encadrant!"),
    );
    assert_eq!(titles, (&expected.0, &expected.1));
    // The user of the token counts, whatever the query says.
    let of_bob = bob.user_id;
    for query in [
        String::new(),
        format!("?user_id={of_bob}"),
        format!("?page=1&user={of_bob}"),
    ] {
        let list = stack.client.get(&format!("{LIST}{query}"), &alice).await;
        let text = list.body.to_string();
        let (own, other) = (hers["id"].as_str(), his["id"].as_str());
        assert!(
            text.contains(own.unwrap()) && !text.contains(other.unwrap()),
            "{text}"
        );
    }
    assert_eq!(status(&stack, (Method::GET, LIST), None).await, 401);
}

#[tokio::test]
async fn mark_read_is_only_mine() {
    let stack = Stack::start().await;
    let (alice, hers) = welcomed(&stack, Role::Student).await;
    let (bob, _) = welcomed(&stack, Role::Encadrant).await;
    let read = path(&hers, "read/");
    for other in [&read, &format!("{LIST}not-an-id/read/")] {
        assert_eq!(status(&stack, (Method::POST, other), Some(&bob)).await, 404);
    }
    let is_unread =
        "not exists (select from communications_notification where read_at is not null)";
    assert!(stack.comm.is(is_unread).await);

    let unread = async |user: &User| {
        let path = format!("{LIST}unread-count/");
        stack.client.get(&path, user).await.body["unread_count"].clone()
    };
    assert_eq!(unread(&alice).await, 1);
    let mark = async || {
        let response = stack
            .client
            .ask(Method::POST, &read, Some(&alice.token), None);
        response.await.unwrap()
    };
    let (first, second) = (mark().await, mark().await);
    assert_eq!(first.status, 200);
    assert!(first.body["read_at"].is_string());
    assert_eq!(first.body, second.body, "the first reading counts");
    assert_eq!(
        (unread(&alice).await, unread(&bob).await),
        (json!(0), json!(1))
    );
    let count = format!("{LIST}unread-count/");
    assert_eq!(status(&stack, (Method::GET, &count), None).await, 401);
}

#[tokio::test]
async fn lists_are_newest_first_in_pages_or_bare() {
    let stack = Stack::start().await;
    let (user, _) = welcomed(&stack, Role::Student).await;
    add_notices(&stack, &user, 120).await;
    let bare = stack.client.notifications(&user).await;
    assert_eq!(bare.len(), 100);
    assert_eq!(bare[0]["title"], "Notice 120");
    let bare = reqwest::Client::new()
        .get(stack.client.url(LIST))
        .bearer_auth(&user.token)
        .send()
        .await
        .unwrap();
    assert_eq!(bare.headers()["x-total-count"], "121");
    let next = bare.headers()["link"].to_str().unwrap();
    let next = next
        .strip_prefix('<')
        .unwrap()
        .strip_suffix(">; rel=\"next\"")
        .unwrap();
    let next = stack.client.get(next, &user).await.body;
    assert_eq!(
        (next["page"].clone(), next["data"].as_array().unwrap().len()),
        (json!(2), 21)
    );

    let page = stack
        .client
        .get(&format!("{LIST}?page=3&limit=50"), &user)
        .await
        .body;
    let numbers = json!({"total": 121, "page": 3, "per_page": 50, "total_pages": 3});
    for (name, number) in numbers.as_object().unwrap() {
        assert_eq!(&page[name], number, "{name}");
    }
    let data = page["data"].as_array().unwrap();
    assert_eq!(
        (data.len(), &data[20]["title"]),
        (21, &json!("Welcome to MedTrack!"))
    );

    let empty = stack
        .client
        .get(&format!("{LIST}?type=email&limit=10"), &user)
        .await
        .body;
    assert_eq!(empty["total"], 0);
    let unread = stack
        .client
        .get(&format!("{LIST}?unread=false"), &user)
        .await
        .body;
    assert_eq!(unread, json!([]));
    let wrong = stack
        .client
        .get(&format!("{LIST}?page=0&limit=101&unread=maybe"), &user)
        .await;
    assert_eq!(wrong.status, 400);
    assert_eq!(
        wrong.body["errors"].as_object().unwrap().len(),
        3,
        "{}",
        wrong.body
    );
    assert_eq!(
        stack
            .client
            .get(&format!("{LIST}?promotion=2026"), &user)
            .await
            .status,
        200,
        "unknown is ignored"
    );
}

#[tokio::test]
async fn the_export_has_all_that_is_held_of_the_user_and_nothing_of_others() {
    let stack = Stack::start().await;
    let (alice, _) = welcomed(&stack, Role::Student).await;
    let (bob, _) = welcomed(&stack, Role::Encadrant).await;
    add_notices(&stack, &alice, 150).await;
    let profile = stack.client.get("/profile/api/me", &alice).await.body;
    let export = stack.client.get("/comm/api/export/", &alice).await;
    assert_eq!(export.status, 200, "{}", export.body);
    let notifications = export.body["notifications"].as_array().expect("a list");
    assert_eq!(
        notifications.len(),
        151,
        "the list has pages, this does not"
    );
    let owner = json!(alice.user_id);
    assert!(
        notifications
            .iter()
            .all(|notification| notification["user_id"] == owner)
    );
    assert_eq!(
        (&export.body["user_id"], &export.body["student_id"]),
        (&owner, &profile["id"])
    );
    let his = stack.client.get("/comm/api/export", &bob).await.body;
    assert_eq!(his["notifications"].as_array().map(Vec::len), Some(1));
    assert!(!his.to_string().contains(&alice.user_id.to_string()));
}
