//! The trace of an event, beside many others.

use crate::fixture::Fixture;
use messaging::admin::{self, Named};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// As many that reading all of them costs more than an index.
const MANY: u32 = 30_000;

#[tokio::test]
async fn a_chain_is_found_by_every_id_without_reading_a_whole_table() {
    let fixture = Fixture::new().await;
    let database = &fixture.database;
    for (published_at, rows) in [("now()", MANY), ("null", 100)] {
        database
            .run(&format!(
                "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                     published_at)
                 select gen_random_uuid(), 'student.created', gen_random_uuid(), 1, gen_random_uuid(), '{{}}',
                        {published_at}
                 from generate_series(1, {rows})"
            ))
            .await;
    }
    database
        .run(&format!(
            "insert into parked_event (event_id, state, queue, exchange, routing_key, correlation_id, body, admitted,
                                       kind, reason, due_at)
             select gen_random_uuid(), 'waiting', 'q', 'e', 'student.created', gen_random_uuid(), '', true, 'waits',
                    'r', now() + interval '1 hour'
             from generate_series(1, {MANY})"
        ))
        .await;
    database.run("analyze outbox").await;
    database.run("analyze parked_event").await;
    let id = async |column: &str, rows: &str| -> Uuid {
        let query = format!("select {column} from {rows} offset 50 limit 1");
        database.value(&query).await.parse().unwrap()
    };
    let mut ids = Vec::new();
    for rows in [
        "outbox where published_at is not null",
        "outbox where published_at is null",
    ] {
        for column in ["event_id", "aggregate_id", "correlation_id"] {
            ids.push(id(column, rows).await);
        }
    }
    ids.push(id("event_id", "parked_event").await);
    ids.push(id("correlation_id", "parked_event").await);

    let mut transaction = database.pool.begin().await.unwrap();
    let before = scans(&mut transaction).await;
    for id in ids {
        let chains = admin::chains_of(&mut transaction, id, 20).await.unwrap();
        assert_eq!(chains.len(), 1, "{id}");
        let events = admin::events_of_chain(&mut transaction, chains[0].correlation_id);
        events.await.unwrap();
        admin::received(&mut transaction, &[id]).await.unwrap();
        for named in [
            Named {
                event_ids: vec![id],
                ..Named::default()
            },
            Named {
                ids: vec![id],
                emails: vec!["a@example.com".into()],
                ..Named::default()
            },
        ] {
            admin::parked_states(&mut transaction, &named, 20)
                .await
                .unwrap();
        }
    }
    assert_eq!(scans(&mut transaction).await, before, "sequential scans");
}

/// How often this session has read the whole of a table.
async fn scans(connection: &mut PgConnection) -> String {
    let query = "select coalesce(sum(seq_scan), 0)::text as scans from pg_stat_xact_user_tables
                 where relname in ('outbox', 'inbox', 'parked_event', 'parked_person')";
    let row = sqlx::raw_sql(query).fetch_one(connection).await.unwrap();
    row.get("scans")
}
