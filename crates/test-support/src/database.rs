//! A database for each test, copied from a migrated template in milliseconds.
#![expect(
    clippy::disallowed_methods,
    reason = "test crate: no schema of its own to check against"
)]

use crate::servers;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, migrate::Migrator,
    postgres::PgPoolOptions,
};
use uuid::Uuid;

/// A database of one test; dropped with it.
#[derive(Debug)]
pub struct Database {
    /// Address for a process under test, as a superuser.
    pub url: String,
    /// Address with the login of operators. It may read and change what the migrations grant to the role `operator`.
    pub operator_url: String,
    /// For looking into it.
    pub pool: PgPool,
    name: String,
}

impl Database {
    /// An empty database, for the real `migrate` to fill.
    pub async fn empty() -> Self {
        Self::copy("template0").await
    }

    /// A database with these migrations applied, in this order, such as `&[&messaging::MIGRATOR, …]`.
    pub async fn migrated(migrators: &[&Migrator]) -> Self {
        Self::copy(&template(migrators).await).await
    }

    async fn copy(template: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut admin = connect(&servers::database_url()).await;
        ensure_operator(&mut admin).await;
        run(
            &mut admin,
            format!("create database {name} template {template}"),
        )
        .await;
        let url = url_of(&name);
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(&url)
            .expect("the address differs from a working one by the name only");
        let operator_url = servers::with_login(&url, OPERATOR, OPERATOR);
        Self {
            url,
            operator_url,
            pool,
            name,
        }
    }

    /// Whether a query's one value is true; for conditions to wait for.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn is(&self, condition: &str) -> bool {
        let existing: Option<bool> =
            sqlx::query_scalar(AssertSqlSafe(format!("select ({condition})")))
                .fetch_one(&self.pool)
                .await
                .unwrap_or_else(|error| panic!("{condition}: {error}"));
        existing.unwrap_or(false)
    }

    /// How many rows `from`, such as `outbox where published_at is null`.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn count(&self, from: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {from}")))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{from}: {error}"))
    }

    /// The one value of a query, as text.
    ///
    /// # Panics
    /// When the database refuses, or there is no such value.
    pub async fn value(&self, query: &str) -> String {
        let value: Option<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("select ({query})::text")))
                .fetch_one(&self.pool)
                .await
                .unwrap_or_else(|error| panic!("{query}: {error}"));
        value.unwrap_or_else(|| panic!("no value: {query}"))
    }

    /// Changes rows directly, without the system. Returns how many rows changed.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn run(&self, statement: &str) -> u64 {
        let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
            .execute(&self.pool)
            .await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"))
            .rows_affected()
    }

    /// Parks so many dead events whose bodies of 60 kB name a person, and as many that name no person.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn park_large_bodies(&self, person: Uuid, count: u32) {
        // To find the person in random bytes takes a trigger 4 ms for each body.
        self.run("alter table parked_event disable trigger note_persons")
            .await;
        self.run(&format!(
            "with random as (
                 select decode(string_agg(md5(random()::text || i), ''), 'hex') as bytes from generate_series(1, 3750) i),
             parked as (
                 insert into parked_event (event_id, state, queue, exchange, routing_key, body, kind, reason, admitted)
                 select gen_random_uuid(), 'dead', 'q', 'e', name, convert_to(name, 'UTF8') || bytes, 'rejected', 'r', true
                 from generate_series(1, {count}), (values ('{person}'), ('nobody')) as names (name), random
                 returning event_id, routing_key)
             insert into parked_person (person_id, event_id)
             select routing_key::uuid, event_id from parked where routing_key <> 'nobody'"
        ))
        .await;
        self.run("alter table parked_event enable trigger note_persons")
            .await;
    }

    /// Ends the sessions of everyone else, as a failover does. Returns how many there were.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn terminate_sessions(&self) -> i64 {
        sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_one(&self.pool)
        .await
        .expect("a superuser may end any session")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        servers::clean_up(async move {
            let mut admin = connect(&servers::database_url()).await;
            run(&mut admin, drop).await;
        });
    }
}

/// The role of operators, and its password. `deploy/postgres/logins.sh` makes it elsewhere.
const OPERATOR: &str = "operator";

/// Makes the role of operators before the migrations, which grant to it. Roles are the server's, so another test may
/// make it at the same time.
async fn ensure_operator(admin: &mut PgConnection) {
    let make = format!(
        "do $$ begin create role {OPERATOR} login password '{OPERATOR}';
         exception when duplicate_object or unique_violation then null; end $$"
    );
    run(admin, make).await;
}

/// Makes the template database of these migrations, unless it exists. Returns its name.
async fn template(migrators: &[&Migrator]) -> String {
    let mut schema = Vec::new();
    for migrator in migrators {
        schema.extend_from_slice(migrator.table_name.as_bytes());
        migrator
            .iter()
            .for_each(|migration| schema.extend_from_slice(&migration.checksum));
    }
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &schema);
    let name = format!("template_{}", id.simple());
    let mut admin = connect(&servers::database_url()).await;
    ensure_operator(&mut admin).await;
    // Other tests, in other processes too, wait here; the lock goes with the session.
    let lock = id.as_u64_pair().0.cast_signed();
    run(&mut admin, format!("select pg_advisory_lock({lock})")).await;
    // The mark is set last: a template without it is not complete.
    let done: bool = sqlx::query_scalar(
        "select exists (select from pg_database where datname = $1 and datistemplate)",
    )
    .bind(&name)
    .fetch_one(&mut admin)
    .await
    .expect("pg_database can be read");
    if !done {
        run(
            &mut admin,
            format!("drop database if exists {name} with (force)"),
        )
        .await;
        run(
            &mut admin,
            format!("create database {name} template template0"),
        )
        .await;
        let mut fresh = connect(&url_of(&name)).await;
        for migrator in migrators {
            migrator
                .run(&mut fresh)
                .await
                .expect("the migrations fit an empty database");
        }
        fresh.close().await.expect("the session ends in any case");
        run(
            &mut admin,
            format!("alter database {name} is_template true allow_connections false"),
        )
        .await;
    }
    name
}

fn url_of(database: &str) -> String {
    servers::with_name(&servers::database_url(), database)
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap_or_else(|error| {
        panic!("no PostgreSQL ({error}); run the tests with ./medtrack test")
    })
}

async fn run(connection: &mut PgConnection, sql: String) {
    sqlx::query(AssertSqlSafe(sql.clone()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}
