//! The language of a user, from the choice at auth-service to the inbox.

use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{Stack, User, eventually};

const ME: &str = "/auth/api/v1/users/me";
const SOON: Duration = Duration::from_secs(10);

async fn titles(stack: &Stack, user: &User) -> Vec<Value> {
    let list = stack.client.notifications(user).await;
    list.iter().map(|notice| notice["title"].clone()).collect()
}

#[tokio::test]
async fn a_user_who_changes_the_language_reads_the_whole_inbox_in_it() {
    let _turn = crate::beside_others().await;
    let stack = Stack::start().await;
    for (role, kind, welcomes) in [
        (
            Role::Student,
            "student",
            [
                "Welcome to MedTrack!",
                "Bienvenue sur MedTrack\u{a0}!",
                "مرحبا بك في MedTrack!",
            ],
        ),
        (
            Role::Encadrant,
            "encadrant",
            [
                "Welcome as Encadrant!",
                "Bienvenue parmi les encadrants\u{a0}!",
                "مرحبا بك بين المشرفين!",
            ],
        ),
    ] {
        let user = stack.client.register(role).await;
        let mut expected = vec![welcomes.map(Value::from)];
        if role == Role::Student {
            let profile = eventually(SOON, "the profile", async || {
                let profile = stack.client.get("/profile/api/me", &user).await.body;
                profile["id"].is_string().then_some(profile)
            })
            .await;
            let accepted = json!({"payload": {"student_id": profile["id"], "stage_id": user.user_id,
                                  "start_date": "2026-01-12"}, "_meta": {"timestamp": "2036-01-05T10:00:00Z"}});
            stack
                .vhost
                .publish("stage.accepted", accepted.to_string())
                .await;
            let titles = [
                "Stage Accepted!",
                "Stage accepté\u{a0}!",
                "تم قبول التدريب!",
            ];
            expected.push(titles.map(Value::from));
        }
        for (number, locale) in ["en", "fr", "ar"].into_iter().enumerate() {
            let change = json!({"locale": locale});
            let response = stack
                .client
                .ask(Method::PATCH, ME, Some(&user.token), Some(&change))
                .await
                .expect("auth-service answers");
            assert_eq!(response.body["locale"], locale, "{}", response.body);
            let mut wanted: Vec<Value> = expected
                .iter()
                .map(|titles| titles[number].clone())
                .collect();
            wanted.sort_by_key(Value::to_string);
            let what = format!("the inbox of the {kind} is in {locale}");
            eventually(SOON, &what, async || {
                let mut titles = titles(&stack, &user).await;
                titles.sort_by_key(Value::to_string);
                titles == wanted
            })
            .await;
        }
        let unread = "/comm/api/notifications/unread-count/";
        let unread = stack.client.get(unread, &user).await.body["text"].clone();
        let words = match role {
            Role::Student => "لديك إشعاران غير مقروءين.",
            Role::Encadrant | Role::Admin => "لديك إشعار واحد غير مقروء.",
        };
        assert_eq!(unread, words);
    }
}
