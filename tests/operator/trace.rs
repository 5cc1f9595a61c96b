//! What `trace` prints: the hops of an event, the events of a person, and what was lost.

mod hops;
mod missing;
mod person;

use crate::{SOON, json_of, replay::register, said};
use events::Role;
use serde_json::Value;
use test_support::{Stack, User, eventually};

/// A text without its line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `trace` prints about a subject; every line fits into 80 columns.
async fn traced(stack: &Stack, subject: &str) -> String {
    let output = said(stack, &format!("trace {subject}")).await;
    assert_fits(&output);
    output
}

fn assert_fits(output: &str) {
    let mut lines = output.lines();
    let too_long = lines.find(|line| line.chars().count() > 80 && !line.contains("try:"));
    assert_eq!(too_long, None, "{output}");
}

async fn trace_json(stack: &Stack, subject: &str) -> Value {
    json_of(stack, &format!("trace {subject} --json")).await
}

/// The state and the advice of an event's hop at a service.
fn fate(trace: &Value, event_id: &str, service: &str) -> (String, String) {
    let chains = trace["chains"].as_array().into_iter().flatten();
    let mut events = chains.flat_map(|chain| chain["events"].as_array().into_iter().flatten());
    let event = events.find(|event| event["event_id"] == event_id);
    let event = event.unwrap_or_else(|| panic!("no event {event_id}: {trace:#}"));
    let hops = event["hops"].as_array().into_iter().flatten();
    let mut states = hops.filter(|hop| {
        hop["service"] == service
            && !["committed", "published", "notified"]
                .map(Value::from)
                .contains(&hop["state"])
    });
    let hop = states
        .next()
        .unwrap_or_else(|| panic!("{service}: {event:#}"));
    let text = |name: &str| hop[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("try"))
}

/// A student whom comm-service has welcomed, with the id of the profile.
async fn student(stack: &Stack) -> (User, String) {
    let user = register(stack, Role::Student).await;
    eventually(SOON, "the welcome", async || {
        stack.client.notifications(&user).await.len() == 1
    })
    .await;
    let query = format!(
        "select id from profiles_student where user_id = '{}'",
        user.user_id
    );
    let student_id = stack.profile.value(&query).await;
    (user, student_id)
}
