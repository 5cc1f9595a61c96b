//! Which parts of a published event are kept, and for how long.

use crate::fixture::{Fixture, SOON, commit, user};
use events::{
    Event as _, UserId,
    auth::{UserCreated, UserDeleted},
};
use messaging::{Cause, Housekeeping};
use test_support::eventually;
use uuid::Uuid;

const UNPUBLISHED: &str = "outbox where published_at is null";

async fn is_published(fixture: &Fixture) {
    eventually(SOON, "all is published", async || {
        fixture.database.count(UNPUBLISHED).await == 0
    })
    .await;
}

/// Deletes a user as auth-service does it.
async fn delete(outbox: &messaging::Outbox, event: &UserCreated) {
    let mut tx = outbox.begin().await.unwrap();
    let id = event.user_id;
    tx.erase(&[id.as_uuid()], &[]).await.unwrap();
    let deleted = UserDeleted {
        user_id: id,
        email: event.email.clone(),
    };
    tx.enqueue(&Cause::root(Uuid::now_v7()), 2, deleted)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn rows_that_name(fixture: &Fixture, email: &str) -> i64 {
    let rows = format!("outbox where envelope::text like '%{email}%'");
    fixture.database.count(&rows).await
}

#[tokio::test]
async fn a_published_event_keeps_its_text_and_erasure_takes_it() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let (outbox, _relay) = fixture.start_relay();
    let (gone, stays) = (user("gone@example.com"), user("stays@example.com"));
    commit(&outbox, gone.clone()).await;
    commit(&outbox, stays.clone()).await;
    is_published(&fixture).await;
    assert_eq!(rows_that_name(&fixture, &gone.email).await, 1);

    delete(&outbox, &gone).await;
    is_published(&fixture).await;
    assert_eq!(rows_that_name(&fixture, &gone.email).await, 0);
    assert_eq!(rows_that_name(&fixture, &stays.email).await, 1);
    let deletion = fixture
        .database
        .value("select envelope from outbox where routing_key = 'auth.user.deleted'")
        .await;
    let deletion: serde_json::Value = serde_json::from_str(&deletion).unwrap();
    assert_eq!(deletion["payload"]["email"], "");
    let id: UserId = deletion["payload"]["user_id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(id, gone.user_id, "the deletion can be published again");
}

#[tokio::test]
async fn a_text_that_is_not_published_yet_goes_when_it_is() {
    let fixture = Fixture::new().await;
    messaging::topology::apply(&fixture.broker()).await.unwrap();
    let gone = user("gone@example.com");
    let outbox = fixture.outbox_without_relay();
    commit(&outbox, gone.clone()).await;
    delete(&outbox, &gone).await;
    assert_eq!(
        rows_that_name(&fixture, &gone.email).await,
        2,
        "not published"
    );
    let tap = fixture.vhost.tap("#").await;
    let (_outbox, _relay) = fixture.start_relay();
    let created = tap
        .hear(|message| message.routing_key == UserCreated::KEY)
        .await;
    assert_eq!(created.json()["payload"]["email"], gone.email);
    is_published(&fixture).await;
    assert_eq!(rows_that_name(&fixture, &gone.email).await, 0);
}

#[tokio::test]
async fn the_purge_keeps_up_with_what_is_written() {
    let fixture = Fixture::new().await;
    fixture
        .database
        .run(
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                 published_at)
             select gen_random_uuid(), 'auth.user.created', gen_random_uuid(), 1, gen_random_uuid(), '{}',
                    now() - interval '1 day' * (n % 4)
             from generate_series(1, 40000) n",
        )
        .await;
    let housekeeping = Housekeeping::new(&fixture.database.pool);
    let task = tokio::spawn(housekeeping.run(fixture.stop.clone()));
    eventually(SOON, "ten thousand rows go", async || {
        fixture.database.count("outbox").await == 30_000
    })
    .await;
    fixture.stop.cancel();
    task.await.unwrap();
}
