//! The consumer while its database is lost, refuses writes or ends in the middle of its work.

use crate::fixture::{Fixture, SOON, user};
use messaging::Limits;
use std::time::Duration;
use test_support::eventually;

/// Longer than a batch may be in hand before the consumer says so, 5 s.
const ATTEMPT: Duration = Duration::from_secs(6);

#[tokio::test]
async fn an_event_whose_connection_dies_silently_is_handled_over_another_one() {
    let fixture = Fixture::new().await;
    let (pool, to_database) = fixture.pool_through_proxy().await;
    let limits = Limits {
        attempt: ATTEMPT,
        ..Limits::default()
    };
    let status = fixture.start_limited_consumer(pool, limits).await;
    fixture.proof_of_life().await;
    let holder = fixture.lock("effect").await;
    let event = user("forgotten");
    fixture.send(&event).await;
    fixture.waits_for_a_lock("insert into effect").await;
    to_database.forget();
    let answered = "exists (select from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction (aborted)')";
    eventually(SOON, "the answer is lost", async || {
        fixture.database.is(answered).await
    })
    .await;
    holder.rollback().await.unwrap();
    eventually(SOON, "the consumer says that it is stuck", async || {
        status.check().is_err()
    })
    .await;
    assert_eq!(fixture.effects().await, 1);
    eventually(ATTEMPT * 3, "it is handled", async || {
        fixture.effects().await == 2
    })
    .await;
    // A connection that was forgotten would take the whole limit once more.
    for _ in 0..10 {
        let took = fixture.proof_of_life().await;
        assert!(took < ATTEMPT / 2, "{took:?}");
    }
    assert!(status.check().is_ok(), "{:?}", status.check());
    assert_eq!(fixture.effects().await, 12);
    assert_eq!(fixture.database.count("parked_event").await, 0);
}
