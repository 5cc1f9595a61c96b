//! What a process reads of the table `revoked`, and when. `tests/it/revocation.rs` of the system shows whom the services
//! refuse.

use super::*;
use crate::{MIGRATOR, Outbox};
use chrono::TimeDelta;
use events::UserId;
use test_support::{Database, eventually};
use uuid::Uuid;

fn reader(pool: &PgPool) -> Reader {
    Reader {
        pool: pool.clone(),
        memory: Revocations::default(),
        read_to: 0,
        failing: false,
    }
}

/// The end of one session.
fn ended(at: chrono::DateTime<Utc>) -> (Revocation, Uuid) {
    let session_id = Uuid::now_v7();
    let revocation = Revocation {
        user_id: UserId::new(),
        session_id: Some(session_id),
        at,
    };
    (revocation, session_id)
}

#[tokio::test]
async fn a_row_of_a_transaction_that_commits_late_is_read_too() {
    let database = Database::migrated(&[&MIGRATOR]).await;
    let outbox = Outbox::without_relay(database.pool.clone(), "auth-service");
    let mut reader = reader(&database.pool);
    let ((early, early_id), (late, late_id)) = (ended(Utc::now()), ended(Utc::now()));
    let is_known = |reader: &Reader, of: Revocation, id| reader.memory.contain(of.user_id, id);

    let mut first = outbox.begin().await.unwrap();
    first.revoke(vec![late]).await.unwrap();
    let mut second = outbox.begin().await.unwrap();
    second.revoke(vec![early]).await.unwrap();
    second.commit().await.unwrap();
    assert!(reader.look().await);
    assert!(is_known(&reader, early, early_id));
    assert!(!is_known(&reader, late, late_id));
    first.commit().await.unwrap();
    assert!(reader.look().await);
    assert!(is_known(&reader, late, late_id));
}

#[tokio::test]
async fn rows_are_not_read_for_ever() {
    let database = Database::migrated(&[&MIGRATOR]).await;
    let outbox = Outbox::without_relay(database.pool.clone(), "auth-service");
    let mut reader = reader(&database.pool);
    let rows = [ended(Utc::now()), ended(Utc::now())];
    for (row, _) in rows {
        let mut tx = outbox.begin().await.unwrap();
        tx.revoke(vec![row]).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert!(reader.look().await);
    let is_known = |reader: &Reader| {
        let mut rows = rows.iter();
        rows.any(|(row, id)| reader.memory.contain(row.user_id, *id))
    };
    assert!(is_known(&reader));
    // A transaction that is open anywhere on the server, such as one of another test, makes it read once more.
    let soon = Duration::from_secs(10);
    eventually(soon, "a look finds nothing new", async || {
        reader.memory = Revocations::default();
        assert!(reader.look().await);
        !is_known(&reader)
    })
    .await;
}

#[tokio::test]
async fn the_process_that_revokes_knows_it_at_the_commit_and_not_before() {
    let database = Database::migrated(&[&MIGRATOR]).await;
    let memory = Revocations::default();
    let outbox = Outbox::without_relay(database.pool.clone(), "auth-service")
        .with_revocations(memory.clone());
    for (commits, known) in [(false, false), (true, true)] {
        let (revocation, session_id) = ended(Utc::now());
        let mut tx = outbox.begin().await.unwrap();
        tx.revoke(vec![revocation]).await.unwrap();
        assert!(!memory.contain(revocation.user_id, session_id));
        if commits {
            tx.commit().await.unwrap();
        } else {
            tx.rollback().await.unwrap();
        }
        assert_eq!(memory.contain(revocation.user_id, session_id), known);
    }
}

#[tokio::test]
async fn a_row_is_purged_when_every_token_of_its_time_has_ended() {
    let database = Database::migrated(&[&MIGRATOR]).await;
    let outbox = Outbox::without_relay(database.pool.clone(), "auth-service");
    let mut tx = outbox.begin().await.unwrap();
    let old = |minutes| ended(Utc::now() - TimeDelta::minutes(minutes)).0;
    tx.revoke(vec![old(0), old(15), old(17), old(60)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();
    assert_eq!(purge(&mut connection, 1).await.unwrap(), 1);
    assert_eq!(purge(&mut connection, 100).await.unwrap(), 1);
    assert_eq!(database.count("revoked").await, 2);
}

#[tokio::test]
async fn while_the_database_does_not_answer_the_memory_keeps_what_it_holds() {
    let database = Database::migrated(&[&MIGRATOR]).await;
    let mut reader = reader(&database.pool);
    let (revocation, session_id) = ended(Utc::now());
    reader.memory.add(&[revocation], Utc::now());
    database
        .run("alter table revoked rename to revoked_away")
        .await;
    assert!(!reader.look().await);
    assert!(reader.memory.contain(revocation.user_id, session_id));
    database
        .run("alter table revoked_away rename to revoked")
        .await;
    assert!(reader.look().await);
}
