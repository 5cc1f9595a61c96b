//! The inbox, as its user sees it.

use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, User, eventually};
use uuid::Uuid;

const LIST: &str = "/comm/api/notifications/";

async fn welcomed(stack: &Stack, role: Role) -> (User, Value) {
    let user = stack.client.register(role).await;
    let first = eventually(Duration::from_secs(5), "a welcome", async || {
        stack.client.notifications(&user).await.into_iter().next()
    })
    .await;
    (user, first)
}

/// More notices than a page, the newest last.
async fn add_notices(stack: &Stack, user: &User, number: i32) {
    let add = format!(
        "insert into communications_notification (id, user_id, kind, source_event, type, title, content, created_at)
         select gen_random_uuid(), '{}', 'test', gen_random_uuid(), 'system', 'Notice ' || i, '', now() + i * interval '1 ms'
         from generate_series(1, {number}) as i",
        user.user_id
    );
    stack.comm.run(&add).await;
}

#[tokio::test]
async fn a_user_reads_and_marks_the_own_notifications_only() {
    let stack = Stack::start().await;
    let (alice, hers) = welcomed(&stack, Role::Student).await;
    let (bob, his) = welcomed(&stack, Role::Encadrant).await;
    assert_eq!(
        (&hers["title"], &his["title"]),
        (
            &json!("Welcome to MedTrack!"),
            &json!("Welcome as Encadrant!")
        )
    );
    let path = |notification: &Value, rest: &str| {
        format!("{LIST}{}/{rest}", notification["id"].as_str().unwrap())
    };

    assert_eq!(stack.client.get(&path(&hers, ""), &alice).await.body, hers);
    for (method, path) in [
        (Method::GET, path(&hers, "")),
        (Method::POST, path(&hers, "read/")),
        (Method::GET, format!("{LIST}{}/", Uuid::now_v7())),
        (Method::GET, format!("{LIST}not-an-id/")),
        (Method::POST, format!("{LIST}not-an-id/read/")),
    ] {
        let response = stack
            .client
            .ask(method, &path, Some(&bob.token), None)
            .await
            .unwrap();
        assert_eq!(
            (response.status, &response.body["code"]),
            (404, &json!("NOT_FOUND")),
            "{path}"
        );
    }
    assert!(
        stack
            .comm
            .is("not exists (select from communications_notification where read_at is not null)")
            .await
    );

    let unread = format!("{LIST}unread-count/");
    assert_eq!(
        stack.client.get(&unread, &alice).await.body,
        json!({"unread_count": 1})
    );
    let read = async || {
        stack
            .client
            .ask(
                Method::POST,
                &path(&hers, "read/"),
                Some(&alice.token),
                None,
            )
            .await
            .unwrap()
    };
    let (first, second) = (read().await, read().await);
    assert_eq!(first.status, 200);
    assert!(first.body["read_at"].is_string());
    assert_eq!(first.body, second.body, "the first reading counts");
    assert_eq!(
        stack.client.get(&unread, &alice).await.body,
        json!({"unread_count": 0})
    );
    assert_eq!(
        stack.client.get(&unread, &bob).await.body,
        json!({"unread_count": 1})
    );

    for path in [LIST.to_owned(), path(&hers, ""), unread] {
        assert_eq!(
            stack
                .client
                .ask(Method::GET, &path, None, None)
                .await
                .unwrap()
                .status,
            401,
            "{path}"
        );
    }
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
