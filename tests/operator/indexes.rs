//! What `trace` asks the services' views for is found by an index, because the tables behind them are large. Only a part of
//! a name or of an address is compared with those of all users.

use sqlx::{AssertSqlSafe, Row as _};
use test_support::{Database, Stack, stack::Links};
use uuid::Uuid;

/// How PostgreSQL reads what a query selects.
async fn plan(database: &Database, query: &str) -> String {
    let explain = AssertSqlSafe(format!("explain {query}"));
    let rows = sqlx::raw_sql(explain).fetch_all(&database.pool).await;
    let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_person_and_a_notification_are_found_by_index() {
    let stack = Stack::prepare(Links::Direct).await;
    let many = "from generate_series(1, 30000) as number";
    for (database, insert) in [
        (
            &stack.auth,
            "users_user (id, email, password_hash, role) select gen_random_uuid(), number || '@example.com', '', 'student'",
        ),
        (
            &stack.profile,
            "profiles_student (id, user_id, email) select gen_random_uuid(), gen_random_uuid(), number || '@example.com'",
        ),
        (
            &stack.comm,
            "communications_recipient (user_id, student_id) select gen_random_uuid(), gen_random_uuid()",
        ),
        (
            &stack.comm,
            "communications_notification (id, user_id, kind, source_event, type, title, content)
             select gen_random_uuid(), gen_random_uuid(), 'k', gen_random_uuid(), 'system', 't', 'c'",
        ),
    ] {
        database.run(&format!("insert into {insert} {many}")).await;
    }
    let id = Uuid::nil();
    let effects = format!(
        "operator_effect where user_id = '{id}' order by occurred_at desc, notification_id desc limit 20"
    );
    for (service, database) in stack.databases() {
        database.run("analyze").await;
        for from in [
            "operator_subject where kind = 'email' and value = lower('A@example.com')",
            &format!(
                "operator_subject where kind in ('student_id', 'encadrant_id') and id = '{id}'"
            ),
            &format!("operator_subject where user_id = '{id}'"),
            &format!("operator_user where user_id = '{id}'"),
            &format!("operator_effect where source_event = any('{{{id}}}')"),
            &format!("operator_effect where notification_id = any('{{{id}}}')"),
            &effects,
        ] {
            let plan = plan(database, &format!("select * from {from}")).await;
            let reads_all = ["users_user", "profiles_student", "communications"]
                .map(|table| format!("Seq Scan on {table}"))
                .iter()
                .any(|scan| plan.contains(scan.as_str()));
            let is_never_run = plan
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains("One-Time Filter: false"));
            assert!(
                is_never_run || !reads_all,
                "{}: {from}:\n{plan}",
                service.name
            );
        }
    }
}
