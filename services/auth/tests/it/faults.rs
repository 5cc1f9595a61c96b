//! Faults of the database: each is answered with 503 and a time to try again, and leaves nothing behind.

use crate::auth;
use events::Role;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    Stack, User,
    client::{PASSWORD, REGISTER, newcomer},
    eventually,
};

const ME: &str = "/auth/api/v1/users/me";
const SOON: Duration = Duration::from_secs(5);

/// Sends a request, and asserts that the answer is 503 with the time of the next try.
async fn is_unavailable(stack: &Stack, method: Method, path: &str, body: &Value, token: &str) {
    let request = reqwest::Client::new()
        .request(method, stack.client.url(path))
        .bearer_auth(token)
        .json(body);
    let response = request.send().await.expect("auth-service answers");
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").cloned();
    let body: Value = response.json().await.expect("a problem is JSON");
    assert_eq!((status, &body["code"]), (503, &json!("DATABASE_AWAY")));
    assert_eq!(retry_after.expect("there is a time"), "2");
}

/// Locks a table in a session of its own, until the transaction is rolled back.
async fn lock(stack: &Stack, table: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = stack.auth.pool.begin().await.expect("a session is free");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("lock table {table}")))
        .execute(&mut *holder)
        .await
        .expect("no other session holds a lock");
    holder
}

#[tokio::test]
async fn a_locked_table_is_a_503_and_the_same_request_works_afterwards() {
    let stack = auth().await;
    let user = stack.client.register(Role::Student).await;
    let someone = newcomer(Role::Student);
    let confirmation = json!({"current_password": PASSWORD});
    for table in ["users_user", "outbox", "parked_event"] {
        let holder = lock(&stack, table).await;
        let register = is_unavailable(&stack, Method::POST, REGISTER, &someone, "");
        let delete = is_unavailable(&stack, Method::DELETE, ME, &confirmation, &user.token);
        match table {
            // A registration does not read the parked events, an erasure does.
            "parked_event" => delete.await,
            _ => {
                tokio::join!(register, delete);
            }
        }
        holder.rollback().await.expect("the lock ends");
    }
    assert_eq!(stack.auth.count("users_user").await, 1);
    assert_eq!(stack.client.post(REGISTER, &someone).await.status, 201);
    let gone = stack
        .client
        .ask(Method::DELETE, ME, Some(&user.token), Some(&confirmation))
        .await;
    assert_eq!(gone.expect("auth-service answers").status, 204);
}

/// What a killed PostgreSQL does to a request that is about to write its event.
#[tokio::test]
async fn a_session_that_ends_in_the_middle_of_a_request_is_a_503() {
    let stack = auth().await;
    let holder = lock(&stack, "outbox").await;
    let someone = newcomer(Role::Student);
    let register = is_unavailable(&stack, Method::POST, REGISTER, &someone, "");
    let end = async {
        let waiting = "pg_stat_activity where datname = current_database()
             and wait_event_type = 'Lock' and query like 'insert into outbox%'";
        eventually(SOON, "the registration waits for the outbox", async || {
            stack.auth.count(waiting).await == 1
        })
        .await;
        stack
            .auth
            .run(&format!("select pg_terminate_backend(pid) from {waiting}"))
            .await;
    };
    tokio::join!(register, end);
    holder.rollback().await.expect("the lock ends");
    assert_eq!(stack.auth.count("users_user").await, 0);
    assert_eq!(stack.client.post(REGISTER, &someone).await.status, 201);
}

#[tokio::test]
async fn a_read_only_database_is_a_503() {
    let stack = auth().await;
    let user: User = stack.client.register(Role::Student).await;
    let name = stack.auth.value("select current_database()").await;
    stack
        .auth
        .run(&format!(
            "alter database {name} set default_transaction_read_only = on"
        ))
        .await;
    // Settings of a database hold for new sessions.
    stack.auth.terminate_sessions().await;
    let reads = async || stack.client.get(ME, &user).await.status == 200;
    eventually(SOON, "reading goes on", reads).await;
    let someone = newcomer(Role::Student);
    is_unavailable(&stack, Method::POST, REGISTER, &someone, "").await;
    // The test's own sessions have the setting, too.
    let mut connection = stack.auth.pool.acquire().await.expect("a session is free");
    for statement in [
        "set default_transaction_read_only = off".to_owned(),
        format!("alter database {name} reset default_transaction_read_only"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .expect("a superuser may change the setting");
    }
    let registers = async || stack.client.post(REGISTER, &someone).await.status == 201;
    eventually(SOON, "it takes writes again", registers).await;
}
