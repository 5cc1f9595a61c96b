//! The hops of a chain, and where it is stuck.

use crate::{SOON, json_of, medtrack, said, text};
use events::Role;
use test_support::{Stack, Unit, eventually, stack::Links};

#[tokio::test]
async fn a_trace_shows_each_hop_and_where_it_is_stuck() {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack
        .start_units(&[Unit::Auth, Unit::ProfileConsumer])
        .await;
    let user = stack.client.register(Role::Student).await;
    eventually(SOON, "it is stuck at comm-service", async || {
        said(&stack, &format!("trace {}", user.email))
            .await
            .contains("stuck at comm-service: student.created")
    })
    .await;
    stack
        .start_units(&[Unit::AuthConsumer, Unit::CommConsumer])
        .await;
    let complete = eventually(SOON, "it is complete", async || {
        let output = said(&stack, &format!("trace {}", user.user_id)).await;
        output.contains("complete in").then_some(output)
    })
    .await;
    for hop in [
        "auth.user.created committed",
        "auth.user.created handled",
        "student.created published",
        "notification written (welcome)",
    ] {
        assert!(complete.contains(hop), "{hop}: {complete}");
    }
    assert!(
        !complete.contains(&user.email),
        "only what was asked with names a person"
    );
    let chain = json_of(&stack, &format!("trace {} --json", user.user_id)).await;
    let correlation = chain[0]["correlation_id"].as_str().unwrap();
    assert!(
        said(&stack, &format!("trace {correlation}"))
            .await
            .contains("complete in")
    );
    for unknown in [
        "trace nobody@example.com",
        "trace 01a20942-4f9c-77ab-96e5-4bc61d4632b2",
    ] {
        let refused = medtrack(&stack, unknown).await;
        assert!(
            !refused.status.success() && text(&refused).contains("try:"),
            "{}",
            text(&refused)
        );
    }
}
