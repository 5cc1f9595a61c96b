//! Establishments, as everybody reads them and administrators write them.

use crate::fixture::{SOON, administrator, ask, created, enrolled, field_errors, people};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{eventually, vhost::Message};
use uuid::Uuid;

const PATH: &str = "/profile/api/establishments/";

#[tokio::test]
async fn every_change_of_an_establishment_is_announced_once_with_its_version() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let tap = stack.vhost.tap("establishment.*").await;
    let body = json!({"name": " CHU Mustapha ", "code": "CHU-1", "type": "CHU", "wilaya": "Alger", "city": "Sidi M'Hamed",
                      "address": "1er Mai", "email": "contact@chu.example", "phone": "", "metadata": {"beds": 1}});
    let made = created(&stack, PATH, &admin, body).await;
    let path = format!("{PATH}{}/", made["id"].as_str().unwrap());
    assert_eq!(made, stack.client.get(&path, &admin).await.body);
    assert_eq!(
        (&made["name"], &made["phone"], &made["metadata"]),
        (&json!("CHU Mustapha"), &Value::Null, &json!({"beds": 1}))
    );

    let patch = json!({"phone": "+213 21", "type": null, "name": "CHU Mustapha"});
    let changed = ask(&stack, Method::PATCH, &path, &admin, Some(patch.clone())).await;
    assert_eq!(
        (
            changed.status,
            &changed.body["phone"],
            &changed.body["type"]
        ),
        (200, &json!("+213 21"), &Value::Null)
    );
    let again = ask(&stack, Method::PATCH, &path, &admin, Some(patch)).await;
    assert_eq!(again.body, changed.body);
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    let missing = stack.client.get(&path, &admin).await;
    assert_eq!(missing.status, 404);
    let twice = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(twice.status, 404);

    let is_last = |event: &Message| event.json()["_meta"]["routing_key"] == "establishment.deleted";
    tap.hear(is_last).await;
    let mut events: Vec<Value> = tap.heard().iter().map(Message::json).collect();
    events.sort_by_key(|event| event["_meta"]["aggregate_version"].as_i64());
    let of = |field: &str| -> Vec<Value> {
        let events = events.iter();
        events.map(|event| event["_meta"][field].clone()).collect()
    };
    assert_eq!(
        of("routing_key"),
        [
            "establishment.created",
            "establishment.updated",
            "establishment.deleted"
        ],
        "what changes nothing is not announced"
    );
    assert_eq!(of("aggregate_version"), [1, 2, 3]);
    assert!(of("aggregate_id").iter().all(|id| *id == made["id"]));
    assert_eq!(events[1]["payload"]["changes"], json!(["type", "phone"]));
    let expected = json!({"establishment_id": made["id"], "code": "CHU-1", "name": "CHU Mustapha", "type": null,
                          "wilaya": "Alger", "address": "1er Mai", "email": "contact@chu.example", "phone": "+213 21"});
    assert_eq!(events[2]["payload"], expected);
    eventually(SOON, "all are published", async || {
        stack
            .profile
            .is("not exists (select from outbox where published_at is null)")
            .await
    })
    .await;
}

#[tokio::test]
async fn a_code_is_unique_and_a_name_is_required() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let body = json!({"name": "One", "code": "A"});
    created(&stack, PATH, &admin, body).await;
    let second = created(&stack, PATH, &admin, json!({"name": "Two", "code": ""})).await;
    created(&stack, PATH, &admin, json!({"name": "Three"})).await;
    let path = format!("{PATH}{}/", second["id"].as_str().unwrap());
    for (method, path) in [(Method::POST, PATH), (Method::PATCH, &path)] {
        let body = json!({"name": "Two", "code": "A"});
        let refused = ask(&stack, method, path, &admin, Some(body)).await;
        assert_eq!(
            (
                refused.status,
                &refused.body["code"],
                field_errors(&refused)
            ),
            (409, &json!("CODE_TAKEN"), vec!["code".to_owned()])
        );
    }
    for (method, path, body) in [
        (Method::POST, PATH, json!({"code": "B"})),
        (Method::POST, PATH, json!({"name": " "})),
        (Method::PATCH, &*path, json!({"name": null})),
    ] {
        let refused = ask(&stack, method, path, &admin, Some(body)).await;
        assert_eq!(
            (refused.status, field_errors(&refused)),
            (400, vec!["name".to_owned()])
        );
    }
    let refused = ask(
        &stack,
        Method::POST,
        PATH,
        &admin,
        Some(json!({"name": "Four", "beds": 3})),
    )
    .await;
    assert_eq!(field_errors(&refused), ["beds"]);
    assert_eq!(stack.profile.count("profiles_establishment").await, 3);
    assert_eq!(
        stack.profile.count("outbox").await,
        3,
        "what is refused is not announced"
    );
}

#[tokio::test]
async fn an_establishment_in_use_is_not_deleted() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let made = created(&stack, PATH, &admin, json!({"name": "CHU"})).await;
    let id = made["id"].as_str().unwrap();
    let path = format!("{PATH}{id}/");
    for name in ["Cardiology", "Surgery"] {
        let body = json!({"name": name, "establishment_id": id});
        created(&stack, "/profile/api/services/", &admin, body).await;
    }
    let encadrant = format!(
        "insert into profiles_encadrant (id, user_id, email, establishment_id, is_active)
         values (gen_random_uuid(), gen_random_uuid(), 'e@example.com', '{id}', false)"
    );
    stack.profile.run(&encadrant).await;
    let refused = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(
        (
            refused.status,
            &refused.body["code"],
            &refused.body["detail"]
        ),
        (
            409,
            &json!("IN_USE"),
            &json!("In use by hospital services: 2, encadrants: 1.")
        )
    );
    stack.profile.run("delete from profiles_service").await;
    let refused = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(refused.body["detail"], "In use by encadrants: 1.");
    stack
        .profile
        .run("update profiles_encadrant set establishment_id = null")
        .await;
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
}

#[tokio::test]
async fn establishments_are_searched_filtered_sorted_and_divided_into_pages() {
    let stack = people().await;
    let student = enrolled(&stack, Role::Student).await;
    stack
        .profile
        .run(
            "insert into profiles_establishment (id, code, name, type, wilaya, city, created_at)
             select gen_random_uuid(), 'C' || n, 'Hospital ' || n, case when n % 2 = 0 then 'CHU' end,
                    (array['Alger', 'Oran', 'Constantine'])[1 + n % 3], 'City ' || n, now() - n * interval '1 minute'
             from generate_series(1, 12) as n",
        )
        .await;
    for (query, total, first) in [
        ("", 12, Some("C1")),
        ("search=OSPITAL%201", 4, Some("C1")),
        ("search=c1&sort=-name", 4, Some("C12")),
        ("search=city%207", 1, Some("C7")),
        ("type=chu", 6, Some("C2")),
        ("wilaya=alger", 4, Some("C3")),
        ("wilaya=Alger&type=CHU", 2, Some("C6")),
        ("city=CITY%203", 1, Some("C3")),
        ("sort=created_at", 12, Some("C12")),
        ("sort=-type", 12, Some("C2")),
        ("page=2&limit=5", 12, Some("C6")),
        ("search=100%25", 0, None),
    ] {
        let path = format!("{PATH}?page=1&{query}");
        let path = path.replace("page=1&page", "page");
        let read = stack.client.get(&path, &student).await;
        assert_eq!(read.status, 200, "{query}: {}", read.body);
        assert_eq!(
            (&read.body["total"], read.body["data"][0]["code"].as_str()),
            (&json!(total), first),
            "{query}"
        );
    }
    let bare = stack.client.get(PATH, &student).await;
    assert_eq!(bare.body.as_array().map(Vec::len), Some(12));
    for bad in ["sort=metadata", "limit=101", "page=0"] {
        let refused = stack.client.get(&format!("{PATH}?{bad}"), &student).await;
        assert_eq!(
            (refused.status, field_errors(&refused).len()),
            (400, 1),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn only_administrators_write_establishments_and_services() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let made = created(&stack, PATH, &admin, json!({"name": "CHU"})).await;
    let services = "/profile/api/services/";
    let body = json!({"name": "Cardiology", "establishment": made["id"]});
    let service = created(&stack, services, &admin, body.clone()).await;
    let before = stack.profile.count("outbox").await;
    for user in [
        enrolled(&stack, Role::Student).await,
        enrolled(&stack, Role::Encadrant).await,
    ] {
        for (path, id) in [(PATH, &made["id"]), (services, &service["id"])] {
            let one = format!("{path}{}/", id.as_str().unwrap());
            assert_eq!(stack.client.get(&one, &user).await.status, 200);
            for (method, path, body) in [
                (Method::POST, path, Some(body.clone())),
                (Method::PATCH, &one, Some(json!({"name": "Mine"}))),
                (Method::PATCH, &one, Some(json!({"nonsense": true}))),
                (Method::DELETE, &one, None),
            ] {
                let refused = ask(&stack, method.clone(), path, &user, body).await;
                assert_eq!(
                    (refused.status, &refused.body["code"]),
                    (403, &json!("FORBIDDEN")),
                    "{method} {path}"
                );
            }
        }
    }
    let profiles = 2;
    assert_eq!(stack.profile.count("outbox").await, before + profiles);
    for path in [PATH, services] {
        for nothing in [Uuid::nil().to_string(), "nothing".to_owned()] {
            let path = format!("{path}{nothing}/");
            assert_eq!(stack.client.get(&path, &admin).await.status, 404, "{path}");
            let patched = ask(&stack, Method::PATCH, &path, &admin, Some(json!({}))).await;
            assert_eq!(patched.status, 404, "{path}");
        }
    }
}
