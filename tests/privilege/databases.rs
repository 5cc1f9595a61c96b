//! What the login of operators may do in the databases.

use events::topology::{SERVICES, Service};
use reqwest::Url;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use test_support::{Stack, servers, stack::Links};
use tokio::process::Command;

/// The databases of a production stack, made by the script that makes them there.
struct Databases {
    services: Vec<(&'static Service, PgPool)>,
}

impl Databases {
    async fn new() -> Self {
        // The second run finds everything, as the start of an existing stack does.
        for _ in 0..2 {
            logins().await;
        }
        for service in SERVICES {
            let url = address(service.database, service.role, service.short);
            let mut migrate = Command::new(servers::binary(service.name));
            let output = migrate
                .arg("migrate")
                .env("DATABASE_URL", url)
                .output()
                .await;
            let output = output.expect("the service runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{said}");
        }
        let services = SERVICES.iter().map(|service| {
            let url = address(service.database, "operator", "operator");
            (*service, PgPool::connect_lazy(&url).expect("an address"))
        });
        Self {
            services: services.collect(),
        }
    }

    fn of(&self, wanted: &Service) -> &PgPool {
        let mut services = self.services.iter();
        let service_login = services.find(|(service, _)| service.short == wanted.short);
        &service_login.expect("there is one for each service").1
    }
}

fn address(database: &str, user: &str, password: &str) -> String {
    let mut url: Url = servers::with_login(&servers::database_url(), user, password)
        .parse()
        .expect("an address");
    url.set_path(database);
    url.to_string()
}

async fn logins() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/postgres/logins.sh");
    let url: Url = servers::database_url().parse().expect("an address");
    let passwords = SERVICES.iter().map(|service| {
        let variable = format!("{}_DB_PASSWORD", service.short.to_uppercase());
        (variable, service.short)
    });
    let output = Command::new("sh")
        .arg(script)
        .env("PGHOST", url.host_str().expect("a host"))
        .env("PGPORT", url.port().expect("a port").to_string())
        .env("PGUSER", url.username())
        .env("POSTGRES_PASSWORD", url.password().expect("a password"))
        .env("OPERATOR_DB_PASSWORD", "operator")
        .envs(passwords)
        .output()
        .await
        .expect("sh runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

/// Whether PostgreSQL refuses a statement: for want of a privilege, or because no one can do it to such a view.
async fn is_refused(pool: &PgPool, statement: &str) -> bool {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(pool)
        .await;
    let code = |error: &sqlx::Error| Some(error.as_database_error()?.code()?.into_owned());
    done.is_err_and(|error| {
        let code = code(&error).unwrap_or_default();
        assert!(
            ["42501", "55000"].contains(&code.as_str()),
            "{statement}: {error}"
        );
        true
    })
}

async fn allowed(pool: &PgPool, statement: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(pool)
        .await;
    assert!(done.is_ok(), "{statement}: {done:?}");
}

/// The tables of a service that are its own, in its database.
async fn own_tables(service: &Service) -> Vec<String> {
    let url = address(service.database, service.role, service.short);
    let pool = PgPool::connect(&url).await.expect("its own login");
    let tables = sqlx::raw_sql(
        "select tablename::text from pg_tables where schemaname = 'public'
         and tablename not in ('outbox', 'inbox', 'parked_event', 'announcement', 'operator_audit', 'mail')",
    );
    let rows = tables
        .fetch_all(&pool)
        .await
        .expect("the catalogue is readable");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn an_operator_reads_the_views_changes_messagings_tables_and_nothing_else() {
    let databases = Databases::new().await;
    for service in SERVICES {
        let pool = databases.of(service);
        for view in [
            "operator_subject",
            "operator_effect",
            "operator_user",
            "operator_mention",
        ] {
            allowed(pool, &format!("select * from {view}")).await;
            assert!(
                is_refused(pool, &format!("delete from {view}")).await,
                "{view}"
            );
        }
        for table in ["outbox", "inbox", "parked_event", "announcement"] {
            allowed(pool, &format!("select * from {table}")).await;
            allowed(pool, &format!("delete from {table} where false")).await;
            assert!(
                is_refused(pool, &format!("truncate {table}")).await,
                "{table}"
            );
            assert!(
                is_refused(pool, &format!("drop table {table}")).await,
                "{table}"
            );
        }
        // What an operator did is written and read, and not changed.
        let row = "insert into operator_audit (person, verb, event_id, routing_key, state, kind)
                   values ('amina', 'discard', gen_random_uuid(), 'k', 'dead', 'rejected')";
        allowed(pool, row).await;
        allowed(pool, "select * from operator_audit").await;
        for statement in [
            "update operator_audit set person = 'other'",
            "delete from operator_audit",
            "truncate operator_audit",
            "drop table operator_audit",
        ] {
            assert!(is_refused(pool, statement).await, "{statement}");
        }
        let tables = own_tables(service).await;
        assert!(tables.len() >= 4, "{tables:?}");
        for table in tables {
            for statement in ["select from", "delete from", "truncate"] {
                let statement = format!("{statement} {table}");
                assert!(
                    is_refused(pool, &statement).await,
                    "{}: {statement}",
                    service.name
                );
            }
        }
        for statement in [
            "create table mine ()",
            "create temporary table mine ()",
            "create schema mine",
            "create role other",
            "alter view operator_subject owner to operator",
        ] {
            assert!(is_refused(pool, statement).await, "{statement}");
        }
        for other in SERVICES {
            let url = address(service.database, other.role, other.short);
            let may = PgPool::connect(&url).await.is_ok();
            assert_eq!(may, other.short == service.short, "{}: {url}", other.name);
        }
    }
}

#[tokio::test]
async fn the_operators_command_needs_the_operators_logins_only() {
    let stack = Stack::prepare(Links::Direct).await;
    for (_, database) in stack.databases() {
        let pool = PgPool::connect(&database.operator_url)
            .await
            .expect("the login");
        allowed(
            &pool,
            "insert into parked_event (event_id, state, queue, exchange, routing_key, body, admitted, kind, reason)
             select gen_random_uuid(), 'dead', 'q', 'e', 'k', '', false, kind, 'r'
             from unnest(array['replayed', 'discarded']) as kind",
        )
        .await;
    }
    for arguments in [
        "dead list",
        "dead replay --cause replayed --wait 0",
        "dead discard --cause discarded --yes",
        "dead undo --cause discarded --limit 1",
        "audit",
        "mail list",
        "outbox",
    ] {
        let output = Command::new(servers::binary("medtrack"))
            .args(arguments.split_whitespace())
            .env("MEDTRACK_HOME", "/does/not/exist")
            .env("MEDTRACK_OPERATOR", "amina")
            .envs(stack.operator_variables())
            .output()
            .await
            .expect("medtrack runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments}: {said}");
    }
    let (mut discarded, mut audited) = (0, 0);
    for (_, database) in stack.databases() {
        assert_eq!(
            database.count("parked_event where state = 'waiting'").await,
            1
        );
        discarded += database
            .count("parked_event where state = 'discarded'")
            .await;
        audited += database
            .count("operator_audit where person = 'amina'")
            .await;
    }
    assert_eq!(discarded, 2, "one of three is brought back");
    assert_eq!(audited, 7);
}
