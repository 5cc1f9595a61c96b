//! Requests with an `Idempotency-Key`.

use crate::fixture::{Fixture, SOON};
use messaging::{Claim, Housekeeping, RequestKey};
use test_support::eventually;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn key(scope: &str, key: Uuid, body: &str) -> RequestKey {
    RequestKey::new(scope, key, body)
}

#[tokio::test]
async fn a_repeat_finds_what_the_first_request_made_and_another_body_is_told_apart() {
    let fixture = Fixture::new().await;
    let (id, result) = (Uuid::new_v4(), Uuid::now_v7());
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    for (key, expected) in [
        (key("a", id, "{}"), Claim::First),
        (key("a", id, "{}"), Claim::Repeat(result)),
        (key("a", id, r#"{"x":1}"#), Claim::Reused),
        (key("a", id, "{}"), Claim::Repeat(result)),
        (key("b", id, r#"{"x":1}"#), Claim::First),
        (key("a", Uuid::new_v4(), "{}"), Claim::First),
    ] {
        let result = match expected {
            Claim::First => result,
            _ => Uuid::now_v7(),
        };
        assert_eq!(key.claim(&mut connection, result).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_repeat_waits_for_the_first_request_and_takes_the_key_when_that_one_is_undone() {
    let fixture = Fixture::new().await;
    let key = key("a", Uuid::new_v4(), "{}");
    for is_undone in [true, false] {
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let mut tx = fixture.database.pool.begin().await.unwrap();
        assert_eq!(key.claim(&mut tx, first).await.unwrap(), Claim::First);
        let (pool, repeated) = (fixture.database.pool.clone(), key.clone());
        let repeat = tokio::spawn(async move {
            let mut tx = pool.begin().await.unwrap();
            let claim = repeated.claim(&mut tx, second).await.unwrap();
            tx.rollback().await.unwrap();
            claim
        });
        let waits =
            "pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        eventually(SOON, "the repeat waits", async || {
            fixture.database.count(waits).await > 0
        })
        .await;
        let expected = if is_undone {
            tx.rollback().await.unwrap();
            Claim::First
        } else {
            tx.commit().await.unwrap();
            Claim::Repeat(first)
        };
        assert_eq!(repeat.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_request_that_was_refused_gives_its_key_back_and_no_other_request_does() {
    let fixture = Fixture::new().await;
    let (id, result) = (Uuid::new_v4(), Uuid::now_v7());
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let (own, other) = (key("a", id, "{}"), key("a", id, r#"{"x":1}"#));
    own.claim(&mut connection, result).await.unwrap();
    other.release(&mut connection).await.unwrap();
    let claim = own.claim(&mut connection, result).await.unwrap();
    assert_eq!(claim, Claim::Repeat(result));
    own.release(&mut connection).await.unwrap();
    let claim = other.claim(&mut connection, result).await.unwrap();
    assert_eq!(claim, Claim::First);
}

#[tokio::test]
async fn a_key_is_free_after_a_day_and_its_row_goes() {
    let fixture = Fixture::new().await;
    let old = key("a", Uuid::new_v4(), "{}");
    let mut connection = fixture.database.pool.acquire().await.unwrap();
    let age = "update request_key set created_at = now() - interval '25 hours'";
    old.claim(&mut connection, Uuid::now_v7()).await.unwrap();
    fixture.database.run(age).await;
    let claim = old.claim(&mut connection, Uuid::now_v7()).await.unwrap();
    assert_eq!(claim, Claim::First);
    fixture.database.run(age).await;
    let young = key("b", Uuid::new_v4(), "{}");
    young.claim(&mut connection, Uuid::now_v7()).await.unwrap();
    let stop = CancellationToken::new();
    let housekeeping = Housekeeping::new(&fixture.database.pool).run(stop.clone());
    let housekeeping = tokio::spawn(housekeeping);
    eventually(SOON, "the old key goes", async || {
        fixture.database.count("request_key").await == 1
    })
    .await;
    stop.cancel();
    housekeeping.await.unwrap();
}
