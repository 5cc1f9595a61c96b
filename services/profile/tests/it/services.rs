//! Hospital services, and the encadrants who work in them.

use crate::fixture::{
    administrator, ask, created, enrolled, field_errors, people, people_with_stub,
};
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{Stack, User, vhost::Message};
use uuid::Uuid;

const PATH: &str = "/profile/api/services/";
const ESTABLISHMENTS: &str = "/profile/api/establishments/";

async fn establishment(stack: &Stack, admin: &User, name: &str) -> Value {
    let made = created(stack, ESTABLISHMENTS, admin, json!({"name": name})).await;
    made["id"].clone()
}

fn id_of(row: &Value) -> &str {
    row["id"].as_str().expect("an id")
}

#[tokio::test]
async fn every_change_of_a_service_is_announced_once_with_its_version() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let (first, second) = (
        establishment(&stack, &admin, "CHU").await,
        establishment(&stack, &admin, "Clinique").await,
    );
    let tap = stack.vhost.tap("service.*").await;
    let body =
        json!({"establishment": first, "name": "Cardiology", "description": "", "capacity": "12"});
    let refused = ask(&stack, Method::POST, PATH, &admin, Some(body)).await;
    assert_eq!(field_errors(&refused), ["capacity"]);
    let body =
        json!({"establishment": first, "name": "Cardiology", "description": "", "capacity": 12});
    let made = created(&stack, PATH, &admin, body).await;
    let path = format!("{PATH}{}/", id_of(&made));
    assert_eq!(made, stack.client.get(&path, &admin).await.body);
    assert_eq!(
        (
            &made["establishment_id"],
            &made["establishment"],
            &made["establishment_name"],
            &made["description"]
        ),
        (&first, &first, &json!("CHU"), &Value::Null)
    );
    let patch = json!({"capacity": null, "establishment_id": second});
    let changed = ask(&stack, Method::PATCH, &path, &admin, Some(patch.clone())).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.body["establishment_name"], "Clinique");
    let again = ask(&stack, Method::PATCH, &path, &admin, Some(patch)).await;
    assert_eq!(again.body, changed.body);
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    assert_eq!(stack.client.get(&path, &admin).await.status, 404);

    let is_last = |event: &Message| event.json()["_meta"]["routing_key"] == "service.deleted";
    tap.hear(is_last).await;
    let mut events: Vec<Value> = tap.heard().iter().map(Message::json).collect();
    events.sort_by_key(|event| event["_meta"]["aggregate_version"].as_i64());
    let keys: Vec<_> = events
        .iter()
        .map(|event| {
            let meta = &event["_meta"];
            assert_eq!(meta["aggregate_id"], made["id"]);
            (
                meta["routing_key"].clone(),
                meta["aggregate_version"].clone(),
            )
        })
        .collect();
    let expected = [
        (json!("service.created"), json!(1)),
        (json!("service.updated"), json!(2)),
        (json!("service.deleted"), json!(3)),
    ];
    assert_eq!(keys, expected, "what changes nothing is not announced");
    assert_eq!(
        events[1]["payload"],
        json!({"service_id": made["id"], "establishment_id": second, "name": "Cardiology", "description": null,
               "capacity": null, "changes": ["establishment_id", "capacity"]})
    );
}

#[tokio::test]
async fn a_service_belongs_to_an_establishment_that_has_no_other_of_its_name() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let (first, second) = (
        establishment(&stack, &admin, "CHU").await,
        establishment(&stack, &admin, "Clinique").await,
    );
    let body = json!({"name": "Cardiology", "establishment_id": first});
    created(&stack, PATH, &admin, body).await;
    let body = json!({"name": "Cardiology", "establishment_id": second});
    let other = created(&stack, PATH, &admin, body).await;
    let path = format!("{PATH}{}/", id_of(&other));
    for (method, path, body) in [
        (
            Method::POST,
            PATH,
            json!({"name": "CARDIOLOGY", "establishment_id": first}),
        ),
        (Method::PATCH, &*path, json!({"establishment": first})),
    ] {
        let refused = ask(&stack, method, path, &admin, Some(body)).await;
        assert_eq!(
            (
                refused.status,
                &refused.body["code"],
                field_errors(&refused)
            ),
            (409, &json!("NAME_TAKEN"), vec!["name".to_owned()])
        );
    }
    let nothing = Uuid::now_v7();
    for (method, path, body, field) in [
        (
            Method::POST,
            PATH,
            json!({"name": "Surgery"}),
            "establishment_id",
        ),
        (
            Method::POST,
            PATH,
            json!({"name": "Surgery", "establishment_id": nothing}),
            "establishment_id",
        ),
        (
            Method::PATCH,
            &*path,
            json!({"establishment_id": nothing}),
            "establishment_id",
        ),
        (
            Method::POST,
            PATH,
            json!({"name": "Surgery", "establishment_id": first, "establishment": second}),
            "establishment",
        ),
    ] {
        let refused = ask(&stack, method, path, &admin, Some(body.clone())).await;
        assert_eq!(
            (refused.status, field_errors(&refused)),
            (400, vec![field.to_owned()]),
            "{body}"
        );
    }
    assert_eq!(stack.profile.count("profiles_service").await, 2);
}

#[tokio::test]
async fn services_are_searched_filtered_and_sorted() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let (first, second) = (
        establishment(&stack, &admin, "CHU Mustapha").await,
        establishment(&stack, &admin, "Clinique").await,
    );
    for (name, establishment, capacity) in [
        ("Cardiology", &first, Some(3)),
        ("Surgery", &first, None),
        ("Oncology", &second, Some(5)),
    ] {
        let body = json!({"name": name, "establishment_id": establishment, "capacity": capacity});
        created(&stack, PATH, &admin, body).await;
    }
    let first = first.as_str().unwrap();
    for (query, names) in [
        (String::new(), vec!["Oncology", "Surgery", "Cardiology"]),
        (
            "sort=name".into(),
            vec!["Cardiology", "Oncology", "Surgery"],
        ),
        (
            "sort=-capacity".into(),
            vec!["Oncology", "Cardiology", "Surgery"],
        ),
        ("sort=-establishment&limit=1".into(), vec!["Oncology"]),
        (
            format!("establishment_id={first}"),
            vec!["Surgery", "Cardiology"],
        ),
        (
            format!("establishment={first}&search=cardio"),
            vec!["Cardiology"],
        ),
        ("search=musta".into(), vec!["Surgery", "Cardiology"]),
        ("search=su".into(), vec!["Surgery"]),
    ] {
        let read = stack.client.get(&format!("{PATH}?{query}"), &admin).await;
        let rows = read.body.as_array().or(read.body["data"].as_array());
        let rows = rows.unwrap_or_else(|| panic!("{query}: {}", read.body));
        let listed: Vec<_> = rows
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(listed, names, "{query}");
    }
}

#[tokio::test]
async fn an_encadrant_works_in_a_service_of_the_establishment_and_this_is_not_deleted() {
    let stack = people().await;
    let admin = administrator(&stack).await;
    let encadrant = enrolled(&stack, Role::Encadrant).await;
    let establishment = establishment(&stack, &admin, "CHU").await;
    let body = json!({"name": "Cardiology", "establishment_id": establishment});
    let service = created(&stack, PATH, &admin, body).await;
    let me = "/profile/api/encadrants/me/";
    let nothing = Uuid::now_v7();
    let body = json!({"establishment_id": nothing, "service_id": nothing, "first_name": "Eve"});
    let refused = ask(&stack, Method::PATCH, me, &encadrant, Some(body)).await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert_eq!(field_errors(&refused), ["establishment_id", "service_id"]);
    let read = stack.client.get(me, &encadrant).await.body;
    assert_ne!(read["first_name"], "Eve", "nothing is half done");

    let body = json!({"establishment_id": establishment, "service_id": service["id"]});
    let changed = ask(&stack, Method::PATCH, me, &encadrant, Some(body)).await;
    assert_eq!(
        (changed.status, &changed.body["service_id"]),
        (200, &service["id"])
    );
    let other = self::establishment(&stack, &admin, "Clinique").await;
    let body = json!({"establishment_id": other});
    let refused = ask(&stack, Method::PATCH, me, &encadrant, Some(body.clone())).await;
    assert_eq!(
        (refused.status, field_errors(&refused)),
        (400, vec!["service_id".to_owned()]),
        "the service is one of the other establishment"
    );
    let path = format!("{PATH}{}/", id_of(&service));
    for (method, body) in [(Method::PATCH, Some(body)), (Method::DELETE, None)] {
        let refused = ask(&stack, method, &path, &admin, body).await;
        assert_eq!(
            (
                refused.status,
                &refused.body["code"],
                &refused.body["detail"]
            ),
            (409, &json!("IN_USE"), &json!("In use by encadrants: 1."))
        );
    }
    let body = json!({"service_id": ""});
    ask(&stack, Method::PATCH, me, &encadrant, Some(body)).await;
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
}

#[tokio::test]
async fn an_encadrant_is_not_created_in_an_establishment_that_does_not_exist() {
    let (stack, stub) = people_with_stub().await;
    let admin = administrator(&stack).await;
    let body = json!({"email": "e@example.com", "establishment_id": Uuid::now_v7()});
    let path = "/profile/api/encadrants/";
    let refused = ask(&stack, Method::POST, path, &admin, Some(body)).await;
    assert_eq!(
        (refused.status, field_errors(&refused)),
        (400, vec!["establishment_id".to_owned()])
    );
    assert!(stub.asked().is_empty(), "no user is created");
}

/// Who creates an encadrant names an establishment, which is deleted before the event of the user arrives.
#[tokio::test]
async fn an_establishment_that_was_deleted_meanwhile_is_left_out_of_the_new_profile() {
    let mut stack = people().await;
    let admin = administrator(&stack).await;
    stack.kill(test_support::Unit::ProfileConsumer).await;
    let gone = establishment(&stack, &admin, "CHU").await;
    let body = json!({"email": "e@example.com", "password": test_support::client::PASSWORD, "position": "Head",
                      "establishment_id": gone});
    created(&stack, "/profile/api/encadrants/", &admin, body).await;
    let path = format!("{ESTABLISHMENTS}{}/", gone.as_str().unwrap());
    let deleted = ask(&stack, Method::DELETE, &path, &admin, None).await;
    assert_eq!(deleted.status, 204, "{}", deleted.body);
    stack
        .start_units(&[test_support::Unit::ProfileConsumer])
        .await;
    let filled = "exists (select from profiles_encadrant where position = 'Head' and establishment_id is null)";
    test_support::eventually(crate::fixture::SOON, "the profile is made", async || {
        stack.profile.is(filled).await
    })
    .await;
}
