//! What `reconcile` finds after a loss, and that the events that it asks for mend it.

use crate::{SOON, medtrack, said, text};
use events::{
    Role,
    topology::{COMM, PROFILE},
};
use serde_json::Value;
use test_support::{Links, Stack, Unit, User, eventually};

/// What `reconcile` finds: deviation → number of users.
async fn findings(stack: &Stack, arguments: &str) -> Vec<(String, u64)> {
    let output = medtrack(stack, &format!("reconcile --json {arguments}")).await;
    let result: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output)));
    let findings: Vec<_> = result["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|finding| {
            let deviation = finding["deviation"].as_str().expect("a name").to_owned();
            (deviation, finding["users"].as_u64().expect("a number"))
        })
        .collect();
    let fixed = result["fixed"] == true;
    assert_eq!(
        output.status.success(),
        findings.is_empty() || fixed,
        "the exit code says whether something is left to do"
    );
    findings
}

/// Changes of the last minute may be under way, so that `reconcile` passes over them.
pub(crate) async fn let_a_minute_pass(stack: &Stack) {
    for (database, statement) in [
        (
            &stack.auth,
            "update users_user set updated_at = updated_at - interval '2 minutes'",
        ),
        (
            &stack.profile,
            "update profiles_account set changed_at = changed_at - interval '2 minutes'",
        ),
    ] {
        database.run(statement).await;
    }
}

pub(crate) async fn purge(stack: &Stack, queue: &str) {
    let channel = stack.vhost.channel().await;
    let options = lapin::options::QueuePurgeOptions::default();
    let purged = channel.queue_purge(queue.into(), options).await;
    assert!(purged.expect("the queue exists") > 0, "{queue} held events");
}

/// Waits until the broker has taken all events of a database.
pub(crate) async fn published(database: &test_support::Database) {
    eventually(SOON, "all events are published", async || {
        database
            .is("not exists (select from outbox where published_at is null)")
            .await
    })
    .await;
}

pub(crate) async fn welcomed(stack: &Stack, user: &User) {
    eventually(SOON, "one welcome", async || {
        stack.client.notifications(user).await.len() == 1
    })
    .await;
}

#[tokio::test]
async fn what_a_purged_queue_held_is_announced_again_and_nothing_is_doubled() {
    let mut stack = Stack::start().await;
    let unharmed = stack.client.register(Role::Student).await;
    welcomed(&stack, &unharmed).await;

    stack.stop(Unit::ProfileConsumer, SOON).await;
    let student = stack.client.register(Role::Student).await;
    let encadrant = stack.client.register(Role::Encadrant).await;
    published(&stack.auth).await;
    purge(&stack, PROFILE.queue.name).await;
    stack.start_units(&[Unit::ProfileConsumer]).await;

    assert_eq!(
        findings(&stack, "").await,
        [],
        "the events may be under way"
    );
    let_a_minute_pass(&stack).await;
    let missed = [("user_without_profile".to_owned(), 2)];
    assert_eq!(findings(&stack, "").await, missed);
    assert_eq!(findings(&stack, "--fix").await, missed);
    welcomed(&stack, &student).await;
    welcomed(&stack, &encadrant).await;
    welcomed(&stack, &unharmed).await;
    let_a_minute_pass(&stack).await;
    assert_eq!(findings(&stack, "").await, []);
}

#[tokio::test]
async fn a_welcome_and_a_deletion_that_comm_service_missed_are_repeated() {
    let mut stack = Stack::start().await;
    let deleted = stack.client.register(Role::Student).await;
    welcomed(&stack, &deleted).await;

    stack.stop(Unit::CommConsumer, SOON).await;
    let student = stack.client.register(Role::Student).await;
    let password = serde_json::json!({"current_password": test_support::client::PASSWORD});
    let response = stack
        .client
        .ask(
            reqwest::Method::DELETE,
            "/auth/api/v1/users/me",
            Some(&deleted.token),
            Some(&password),
        )
        .await
        .expect("the API answers");
    assert_eq!(response.status, 204);
    eventually(SOON, "profile-service has done its part", async || {
        stack
            .profile
            .is(&format!(
                "exists (select from profiles_account where erased)
                 and exists (select from profiles_student where user_id = '{}')",
                student.user_id
            ))
            .await
    })
    .await;
    published(&stack.auth).await;
    published(&stack.profile).await;
    purge(&stack, COMM.queue.name).await;
    stack.start_units(&[Unit::CommConsumer]).await;

    let_a_minute_pass(&stack).await;
    let missed = [
        ("profile_without_welcome".to_owned(), 1),
        ("deletion_not_honoured".to_owned(), 1),
    ];
    let unasked = medtrack(&stack, "reconcile --fix").await;
    let refusal = text(&unasked);
    assert!(
        !unasked.status.success() && refusal.contains("try: add --yes"),
        "{refusal}"
    );
    assert!(refusal.contains("Erase 1 user "), "{refusal}");
    assert_eq!(
        stack.auth.count("announcement").await,
        0,
        "nothing was changed"
    );
    assert_eq!(findings(&stack, "--fix --yes").await, missed);
    let row = "operator_audit where verb = 'announce' and person = 'amina' and detail = '1 user: deletion_not_honoured'";
    assert_eq!(stack.auth.count(row).await, 1);
    welcomed(&stack, &student).await;
    eventually(SOON, "the deletion is honoured", async || {
        stack
            .comm
            .is(&format!(
                "not exists (select from communications_notification where user_id = '{}')",
                deleted.user_id
            ))
            .await
    })
    .await;
    assert_eq!(findings(&stack, "").await, []);
}

#[tokio::test]
async fn an_owner_that_was_restored_takes_a_version_that_its_readers_accept() {
    let stack = Stack::start().await;
    let user = stack.client.register(Role::Student).await;
    welcomed(&stack, &user).await;
    // auth_db is older than profile_db, as after a restore.
    stack
        .profile
        .run("update profiles_account set version = 7")
        .await;
    stack
        .auth
        .run("update users_user set first_name = 'Restored'")
        .await;
    let restored = [("owner_outdated".to_owned(), 1)];
    assert_eq!(findings(&stack, "--fix").await, restored);
    eventually(SOON, "the profile is the owner's again", async || {
        let profile = stack.client.get("/profile/api/me", &user).await.body;
        profile["first_name"] == "Restored"
    })
    .await;
    assert_eq!(findings(&stack, "").await, []);
    welcomed(&stack, &user).await;
}

#[tokio::test]
async fn more_users_than_one_statement_names_are_all_announced() {
    const USERS: u64 = 12_000;
    let stack = Stack::prepare(Links::Direct).await;
    said(&stack, "topology apply").await;
    let users = format!("select gen_random_uuid() as id, i from generate_series(1, {USERS}) as i");
    stack
        .auth
        .run(&format!(
            "insert into users_user (id, email, password_hash, role, updated_at)
             select id, i || '@example.com', 'none', 'student', now() - interval '1 hour' from ({users}) as new"
        ))
        .await;
    stack
        .profile
        .run(&format!(
            "with new as (
                 insert into profiles_account (user_id, version, changed_at)
                 select id, 1, now() - interval '1 hour' from ({users}) as new returning user_id)
             insert into profiles_student (id, user_id, email) select gen_random_uuid(), user_id, '' from new"
        ))
        .await;
    let missed = [
        ("user_without_profile".to_owned(), USERS),
        ("profile_without_user".to_owned(), USERS),
    ];
    assert_eq!(findings(&stack, "").await, missed);
    let fixed = medtrack(&stack, "reconcile --fix").await;
    assert!(!fixed.status.success(), "a person decides about the others");
    assert_eq!(stack.auth.count("announcement").await, USERS as i64);
}
