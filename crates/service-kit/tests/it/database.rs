//! The service's own database: waiting for it, its sessions, its schema.

use service_kit::{
    config::DatabaseConfig,
    database::{self, Probe},
};
use sqlx::{
    Executor as _, Row as _, SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};
use std::time::Duration;
use test_support::{Database, Mode, Proxy, eventually, port};
use tokio_util::sync::CancellationToken;

fn config(url: &str) -> DatabaseConfig {
    DatabaseConfig {
        database_url: Some(url.to_owned().into()),
        database_url_file: None,
        database_max_connections: 2,
    }
}

fn migrator(table: &'static str, steps: &[&'static str]) -> Migrator {
    let steps = (1..).zip(steps).map(|(version, sql)| {
        Migration::new(
            version,
            format!("step {version}").into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    migrator.dangerous_set_table_name(table);
    migrator
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// The address of the database behind a proxy, and the proxy.
async fn proxied(database: &Database) -> (String, Proxy) {
    let (head, tail) = database.url.split_once('@').unwrap();
    let (address, name) = tail.split_once('/').unwrap();
    let proxy = Proxy::to(address.parse().unwrap()).await;
    (format!("{head}@{}/{name}", proxy.address), proxy)
}

#[tokio::test]
async fn a_database_that_is_not_there_yet_is_waited_for() {
    let database = Database::empty().await;
    let (url, proxy) = proxied(&database).await;
    proxy.set(Mode::Refuse);
    let connecting = tokio::spawn(async move { database::connect(&config(&url), &never()).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!connecting.is_finished());
    proxy.set(Mode::Pass);
    let pool = tokio::time::timeout(Duration::from_secs(5), connecting)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let row = pool.fetch_one(
        "select current_setting('statement_timeout'), current_setting('application_name')",
    );
    let row = row.await.unwrap();
    assert_eq!(row.get::<&str, _>(0), "10s");
    assert!(
        row.get::<&str, _>(1).starts_with("it-"),
        "the program's name"
    );
}

#[tokio::test]
async fn a_process_that_stops_does_not_wait_for_a_database() {
    let stop = CancellationToken::new();
    stop.cancel();
    let url = format!("postgres://u:hunter22@{}/nothing", port::free());
    let error = database::connect(&config(&url), &stop)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("stopped before the database 127.0.0.1:"),
        "{error}"
    );
    assert!(!error.contains("hunter22"), "{error}");
}

/// sqlx 0.9.0 can return a connection inside a transaction to the pool; the next writes over it would be lost.
#[tokio::test]
async fn a_connection_inside_a_transaction_is_not_used_again() {
    let database = Database::empty().await;
    database.run("create table kept (id int)").await;
    let pool = database::connect(&config(&database.url), &never())
        .await
        .unwrap();
    for left in [
        "begin",
        "begin; insert into kept values (0)",
        "begin; select 1/0",
    ] {
        let mut connection = pool.acquire().await.unwrap();
        let _ = connection.execute(left).await;
        drop(connection);
        pool.execute("insert into kept values (1)").await.unwrap();
    }
    pool.close().await;
    assert_eq!(database.count("kept where id = 1").await, 3);
    assert_eq!(database.count("kept where id = 0").await, 0);
}

#[tokio::test]
async fn sessions_that_died_while_idle_are_noticed_before_use() {
    let database = Database::empty().await;
    let pool = database::connect(&config(&database.url), &never())
        .await
        .unwrap();
    let both = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    drop(both);
    eventually(Duration::from_secs(2), "both are back", async || {
        pool.num_idle() == 2
    })
    .await;
    assert!(database.terminate_sessions().await >= 2);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for _ in 0..4 {
        pool.execute("select 1").await.unwrap();
    }
}

#[tokio::test]
async fn a_process_whose_connections_are_all_in_use_is_busy_and_ready() {
    let database = Database::empty().await;
    let (url, proxy) = proxied(&database).await;
    let pool = database::connect(&config(&url), &never()).await.unwrap();
    let probe = Probe::new(&pool);
    let all = (pool.acquire().await.unwrap(), pool.acquire().await.unwrap());
    assert_eq!(probe.clone().ask().await, Ok(()));
    database.terminate_sessions().await;
    assert_eq!(probe.clone().ask().await, Ok(()), "it connects again");
    proxy.set(Mode::BlackHole);
    assert_eq!(
        probe.clone().ask().await,
        Err("no answer within 2 s".to_owned())
    );
    proxy.set(Mode::Pass);
    assert_eq!(probe.clone().ask().await, Ok(()));
    proxy.set(Mode::Refuse);
    assert!(probe.ask().await.is_err(), "the database is away");
    drop(all);
}

#[tokio::test]
async fn a_schema_that_is_behind_is_refused_until_it_is_migrated() {
    let database = Database::empty().await;
    let config = config(&database.url);
    let ours = migrator("_ours", &["create table a (id int)"]);
    let theirs = migrator("_theirs", &["create table b (id int)"]);
    let pool = database::connect(&config, &never()).await.unwrap();
    let refused = database::ensure_current(&pool, &[&ours, &theirs], "x-service")
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the database lacks the migration \"step 1\"; try: x-service migrate"
    );
    database::migrate(&config, &[&ours, &theirs], &never())
        .await
        .unwrap();
    database::migrate(&config, &[&ours, &theirs], &never())
        .await
        .unwrap();
    database::ensure_current(&pool, &[&ours, &theirs], "x-service")
        .await
        .unwrap();

    let newer = migrator(
        "_ours",
        &[
            "create table a (id int)",
            "alter table a add column name text",
        ],
    );
    let refused = database::ensure_current(&pool, &[&newer, &theirs], "x-service")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("\"step 2\""), "{refused}");
    database::migrate(&config, &[&newer, &theirs], &never())
        .await
        .unwrap();
    database::ensure_current(&pool, &[&ours, &theirs], "x-service")
        .await
        .expect("a newer schema is fine");
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_and_no_lock() {
    let database = Database::empty().await;
    let config = config(&database.url);
    let bad = migrator(
        "_ours",
        &[
            "create table a (id int)",
            "create table b (id int); select 1/0",
        ],
    );
    let error = database::migrate(&config, &[&bad], &never())
        .await
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("division by zero"),
        "{error:#}"
    );
    assert!(
        database
            .is("to_regclass('a') is not null and to_regclass('b') is null")
            .await
    );
    let good = migrator(
        "_ours",
        &["create table a (id int)", "create table b (id int)"],
    );
    database::migrate(&config, &[&good], &never())
        .await
        .expect("no lock is left");
    assert!(database.is("to_regclass('b') is not null").await);
}

/// What waits behind a migration that waits for a table must not fail because of it.
#[tokio::test]
async fn a_migration_of_a_table_in_use_gives_way_to_others_and_is_applied_when_it_can() {
    const WAITS: &str = "exists (select from pg_stat_activity where datname = current_database()
        and wait_event_type = 'Lock' and query like '%alter table a%')";
    let database = Database::empty().await;
    let config = config(&database.url);
    let steps = [
        "create table a (id int)",
        "alter table a add column name text",
    ];
    database::migrate(&config, &[&migrator("_ours", &steps[..1])], &never())
        .await
        .unwrap();
    let mut reader = database.pool.begin().await.unwrap();
    reader.execute("select from a").await.unwrap();
    let soon = Duration::from_secs(10);
    let pool = database::connect(&config, &never()).await.unwrap();
    let others = async {
        for _ in 0..2 {
            eventually(soon, "the migration waits", async || {
                database.is(WAITS).await
            })
            .await;
            let behind = pool.execute("insert into a (id) values (1)").await;
            behind
                .expect("it waits for the migration to give way, which takes less than its limit");
        }
        reader.rollback().await.unwrap();
    };
    let migrator = migrator("_ours", &steps);
    let (stop, migrators) = (never(), [&migrator]);
    let migrating = database::migrate(&config, &migrators, &stop);
    let (migrated, ()) = tokio::join!(migrating, others);
    migrated.unwrap();
    assert_eq!(database.count("a where name is null").await, 2);
}

/// An interrupted `create index concurrently` leaves an index that nothing uses, under the name that is wanted.
#[tokio::test]
async fn an_index_that_was_not_finished_is_made_again() {
    let database = Database::empty().await;
    let config = config(&database.url);
    database.run("create table a (id int)").await;
    database.run("insert into a values (1), (1)").await;
    let made = database
        .pool
        .execute("create unique index concurrently a_id on a (id)")
        .await;
    assert!(made.is_err(), "the rows are not unique");
    let invalid = "exists (select from pg_index where not indisvalid)";
    assert!(database.is(invalid).await);
    let index = migrator("_ours", &["create index a_id on a (id)"]);
    database::migrate(&config, &[&index], &never())
        .await
        .unwrap();
    assert!(!database.is(invalid).await);
}
