//! A database that was restored from an older dump.

use super::follow;
use crate::{
    SOON,
    findings::{Seen, assert_documented, findings, only, well},
    medtrack,
    reconcile::{let_a_minute_pass, welcomed},
    replay::register,
    text,
};
use events::Role;
use test_support::{Stack, eventually};

#[tokio::test]
async fn users_whom_a_restored_database_has_lost_are_found_in_a_sample() {
    let stack = Stack::start().await;
    let user = register(&stack, Role::Student).await;
    welcomed(&stack, &user).await;
    let_a_minute_pass(&stack).await;
    well(&stack).await;

    // profile_db is restored from a dump of yesterday: its inbox has forgotten the event, too.
    for table in ["profiles_student", "profiles_account", "inbox", "outbox"] {
        stack.profile.run(&format!("delete from {table}")).await;
    }
    // And the event is older than what is kept.
    stack
        .auth
        .run("update outbox set envelope = null, erased_at = now()")
        .await;
    only(&stack, "users_differ").await;
    let seen = Seen::read(&text(&medtrack(&stack, "doctor").await));
    assert_documented("a restored profile_db", &seen);
    for command in &seen.commands {
        follow(&stack, command).await;
    }
    eventually(SOON, "the profile is there again", async || {
        stack.profile.count("profiles_student").await == 1
    })
    .await;
    let_a_minute_pass(&stack).await;
    well(&stack).await;

    let lost = format!("delete from users_user where id = '{}'", user.user_id);
    stack.auth.run(&lost).await;
    let orphan = only(&stack, "profile_without_user").await;
    assert_eq!(orphan["figures"]["users"], 1);
    let printed = medtrack(&stack, "doctor").await;
    let seen = Seen::read(&text(&printed));
    assert_documented("a restored auth_db", &seen);
    for command in &seen.commands {
        let arguments = command.strip_prefix("./medtrack ").expect("a verb of ours");
        let decision = text(&medtrack(&stack, arguments).await);
        assert!(decision.contains("was auth_db restored?"), "{decision}");
    }
    assert_eq!(findings(&stack).await.status, Some(1), "a person decides");
}
