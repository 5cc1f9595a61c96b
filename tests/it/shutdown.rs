//! What is in hand at SIGTERM is finished, and what it announces is published.

use events::Role;
use std::time::Duration;
use test_support::{Stack, Unit, eventually, stack::Links};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(15);

#[tokio::test]
async fn the_event_of_a_request_in_flight_at_sigterm_is_published_before_the_process_ends() {
    // Alone: the request waits for a lock, and may do so for three seconds.
    let _turn = crate::alone().await;
    let stack = Stack::prepare(Links::Direct).await;
    let mut auth = stack.replica(Unit::Auth).await;
    let mut holder = stack.auth.pool.begin().await.expect("a connection");
    sqlx::raw_sql("lock table users_user in exclusive mode")
        .execute(&mut *holder)
        .await
        .expect("no other session holds it");
    let request = stack.client.register(Role::Student);
    let stop = async {
        let waits = "exists (select from pg_stat_activity
                             where datname = current_database() and wait_event_type = 'Lock')";
        eventually(SOON, "the request is in flight", async || {
            stack.auth.is(waits).await
        })
        .await;
        let release = async {
            eventually(SOON, "the process stops", async || {
                TcpStream::connect(stack.http(Unit::Auth)).await.is_err()
            })
            .await;
            holder.rollback().await.expect("it holds the lock");
        };
        tokio::join!(auth.stop(SOON), release).0
    };
    let (_, status) = tokio::join!(request, stop);
    assert!(status.success());
    assert_eq!(
        stack
            .auth
            .count("outbox where published_at is not null")
            .await,
        1
    );
    assert_eq!(auth.count_lines("Published event: auth.user.created"), 1);
}
