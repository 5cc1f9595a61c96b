//! What an operator does with parked events: each change has its audit row, and none is final at once.

use crate::fixture::{Fixture, SOON, user};
use messaging::{
    Housekeeping,
    admin::{self, Actor, AuditFilter, ParkedFilter},
};
use sqlx::PgConnection;
use test_support::eventually;
use uuid::Uuid;

pub(crate) const AMINA: Actor<'static> = Actor {
    person: "amina",
    why: Some("a test"),
};

async fn park(fixture: &Fixture, kind: &str, body: &str) -> Uuid {
    let event_id = Uuid::now_v7();
    let row = format!(
        "insert into parked_event (event_id, state, queue, exchange, routing_key, body, admitted, kind, reason)
         values ('{event_id}', 'dead', 'q', 'e', 'k', '{body}', true, '{kind}', 'r')"
    );
    fixture.database.run(&row).await;
    event_id
}

async fn connection(fixture: &Fixture) -> PgConnection {
    fixture.database.pool.acquire().await.unwrap().detach()
}

async fn state(fixture: &Fixture, event_id: Uuid) -> String {
    let state = format!(
        "select concat_ws(' ', state, due_at is not null, length(body)) from parked_event where event_id = '{event_id}'"
    );
    fixture.database.value(&state).await
}

#[tokio::test]
async fn a_discarded_event_is_kept_and_comes_back_as_it_was() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    let dead = park(&fixture, "rejected", "body").await;
    let waiting = fixture.park(&user("waits")).await.as_uuid();
    let both = [dead, waiting];
    let discarded = admin::discard(&mut connection, &both, AMINA).await.unwrap();
    assert_eq!(discarded.len(), 2);
    assert_eq!(state(&fixture, dead).await, "discarded f 4");
    let again = admin::discard(&mut connection, &both, AMINA).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
    let replayed = admin::replay(&mut connection, &both, AMINA).await.unwrap();
    assert!(replayed.is_empty(), "a discarded event is not handled");

    let all = ParkedFilter::default();
    let listed = admin::parked(&mut connection, &all, 10).await.unwrap();
    assert!(
        listed.is_empty(),
        "a discarded event is in no list of open ones"
    );
    let by_id = ParkedFilter {
        event_ids: Some(both.to_vec()),
        ..ParkedFilter::default()
    };
    let selected = admin::parked(&mut connection, &by_id, 10).await.unwrap();
    assert_eq!(selected.len(), 2);

    assert_eq!(
        admin::undo(&mut connection, &both, AMINA)
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(state(&fixture, dead).await, "dead f 4");
    assert!(state(&fixture, waiting).await.starts_with("waiting t"));
}

#[tokio::test]
async fn each_change_and_each_look_at_a_payload_has_an_audit_row_with_the_state_before() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    let event_id = park(&fixture, "rejected", "body").await;
    let ids = [event_id];
    let unknown = Uuid::now_v7();
    let body = admin::unmasked(&mut connection, event_id, AMINA)
        .await
        .unwrap();
    assert_eq!(body.as_deref(), Some(&b"body"[..]));
    let none = admin::unmasked(&mut connection, unknown, AMINA)
        .await
        .unwrap();
    assert_eq!(none, None);
    admin::discard(&mut connection, &ids, AMINA).await.unwrap();
    admin::undo(&mut connection, &ids, AMINA).await.unwrap();
    let replayed = admin::replay(&mut connection, &[event_id, unknown], AMINA).await;
    assert_eq!(replayed.unwrap(), ids);

    let filter = AuditFilter {
        event_id: Some(event_id),
        since: None,
    };
    let rows = admin::audit(&mut connection, &filter, 10).await.unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| format!("{} {} {} {}", row.person, row.verb, row.state, row.kind))
        .collect();
    assert_eq!(
        rows,
        [
            "amina replay dead rejected",
            "amina undo discarded rejected",
            "amina discard dead rejected",
            "amina show_payload dead rejected",
        ]
    );
    assert_eq!(fixture.database.count("operator_audit").await, 4);

    // A change whose audit row cannot be written does not happen.
    let unnamed = Actor {
        person: "",
        why: None,
    };
    assert!(
        admin::discard(&mut connection, &ids, unnamed)
            .await
            .is_err()
    );
    assert!(state(&fixture, event_id).await.starts_with("waiting"));
}

#[tokio::test]
async fn the_consumer_tells_a_tried_event_from_one_that_is_only_due() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    let event_id = fixture.park(&user("reject")).await.as_uuid();
    let ids = [event_id];
    admin::replay(&mut connection, &ids, AMINA).await.unwrap();
    let before = admin::retried(&mut connection, &ids).await.unwrap();
    assert!(!before[0].is_tried, "{before:?}");
    fixture.start_consumer().await;
    let mut looks = fixture.database.pool.acquire().await.unwrap().detach();
    let tried = tokio::sync::Mutex::new(&mut looks);
    eventually(SOON, "it is tried, or handled", async || {
        let mut connection = tried.lock().await;
        let rows = admin::retried(&mut connection, &ids).await.unwrap();
        rows.iter().all(|row| row.is_tried)
    })
    .await;
}

#[tokio::test]
async fn the_body_of_a_discarded_event_goes_after_seven_days_and_the_audit_after_two_years() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    let mut ids = Vec::new();
    for (kind, days) in [
        ("rejected", 6),
        ("rejected", 8),
        ("unknown_key", 6),
        ("unknown_key", 8),
    ] {
        let event_id = park(&fixture, kind, "body").await;
        admin::discard(&mut connection, &[event_id], AMINA)
            .await
            .unwrap();
        let row = format!(
            "update parked_event set discarded_at = now() - interval '{days} days',
                    first_at = now() - interval '9 days', last_at = now() - interval '9 days'
             where event_id = '{event_id}'"
        );
        fixture.database.run(&row).await;
        ids.push(event_id);
    }
    let age = "update operator_audit set at = now() - interval '731 days' where id = (select min(id) from operator_audit)";
    fixture.database.run(age).await;
    tokio::spawn(Housekeeping::new(&fixture.database.pool).run(fixture.stop.clone()));
    eventually(SOON, "the old audit row is gone", async || {
        fixture.database.count("operator_audit").await == 3
    })
    .await;
    assert_eq!(state(&fixture, ids[0]).await, "discarded f 4");
    assert_eq!(state(&fixture, ids[1]).await, "discarded f 0");
    assert_eq!(state(&fixture, ids[2]).await, "discarded f 4");
    assert_eq!(fixture.database.count("parked_event").await, 3);
    let undone = admin::undo(&mut connection, &ids, AMINA).await.unwrap();
    assert_eq!(undone.len(), 2, "without a body nothing comes back");
}

/// An erasure reaches what a person discarded, too.
#[tokio::test]
async fn an_erasure_deletes_the_body_of_a_discarded_event() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    let person = Uuid::now_v7();
    let body = format!("{{\"user_id\": \"{person}\"}}");
    let event_id = park(&fixture, "rejected", &body).await;
    admin::discard(&mut connection, &[event_id], AMINA)
        .await
        .unwrap();
    let erased = format!("insert into erased_person (person_id) values ('{person}')");
    fixture.database.run(&erased).await;
    tokio::spawn(Housekeeping::new(&fixture.database.pool).run(fixture.stop.clone()));
    eventually(SOON, "the body is gone", async || {
        state(&fixture, event_id).await == "discarded f 0"
    })
    .await;
}

#[tokio::test]
async fn dead_events_that_wait_for_a_decision_for_sixty_days_are_counted() {
    let fixture = Fixture::new().await;
    let mut connection = connection(&fixture).await;
    for days in [59, 61] {
        let event_id = park(&fixture, "rejected", "body").await;
        let row = format!(
            "update parked_event set last_at = now() - interval '{days} days' where event_id = '{event_id}'"
        );
        fixture.database.run(&row).await;
    }
    let expiring = admin::expiring(&mut connection).await.unwrap();
    assert_eq!(expiring.events, 1);
    let days = (expiring.first_at.unwrap() - chrono::Utc::now()).num_days();
    assert!((28..=29).contains(&days), "{days}");
}
