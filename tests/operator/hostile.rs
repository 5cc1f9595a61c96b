//! Messages that try to act on the terminal of the person who looks at them: every output of the command shows them as
//! text.

use crate::{SOON, command, medtrack};
use events::topology::{COMM, EXCHANGE};
use lapin::types::FieldTable;
use serde_json::{Value, json};
use std::process::{Output, Stdio};
use test_support::{BasicProperties, Stack, eventually};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
    time::timeout,
};
use uuid::Uuid;

/// Sets colour and title of a terminal (7-bit and 8-bit), deletes, begins a line, and turns the direction of text.
const HOSTILE: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}1m\u{8}\u{7f}\r\n\u{2713} fine\u{202e}\u{2066}\u{200f}\u{61c}";

/// Characters that a terminal acts on; a line ends where the command ends it.
fn acts(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && c != '\n')
}

/// How a line begins that the hostile text would like to write.
const FORGED: &str = "\u{2713} fine";

fn assert_harmless(arguments: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(bytes).expect("what is printed is UTF-8");
        for line in text.lines() {
            assert_line_is_harmless(arguments, line);
        }
    }
}

fn assert_line_is_harmless(arguments: &str, line: &str) {
    assert!(!line.contains(acts), "{arguments}: {line:?}");
    assert!(!line.starts_with(FORGED), "{arguments}: {line}");
}

/// `medtrack watch`, while it runs.
struct Watcher {
    arguments: String,
    lines: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Watcher {
    fn start(stack: &Stack, options: &str) -> Self {
        let arguments = format!("watch {options}");
        let mut watch = command(stack, &arguments);
        watch.stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = watch.spawn().expect("medtrack runs");
        let stdout = process.stdout.take().expect("it is piped");
        Self {
            arguments,
            lines: BufReader::new(stdout).lines(),
            _process: process,
        }
    }

    /// Reads until so many lines have shown hostile text.
    async fn assert_harmless(mut self, hostile: usize) {
        let mut seen = 0;
        while seen < hostile {
            let line = timeout(SOON, self.lines.next_line()).await;
            let line = line.expect("it prints what passes").expect("UTF-8");
            let line = line.expect("it goes on");
            assert_line_is_harmless(&self.arguments, &line);
            seen += usize::from(line.contains("red"));
        }
    }
}

/// Messages of every fate, with hostile text in key, body, ids and names.
async fn publish(stack: &Stack, user_id: Uuid) {
    let meta = |source: &str| json!({"timestamp": "2026-01-05T10:00:00Z", "source": source});
    let properties = BasicProperties::default()
        .with_message_id(HOSTILE.into())
        .with_app_id(HOSTILE.into());
    let newcomer = |user_id: Uuid, email: &str| {
        json!({"payload": {"user_id": user_id, "email": email, "role": "student", "first_name": HOSTILE,
                           "last_name": "Zebra"},
               "_meta": meta(HOSTILE)})
    };
    let [first, second] = [
        newcomer(user_id, "hostile@example.com"),
        newcomer(Uuid::now_v7(), "second@example.com"),
    ];
    let unknown_student = json!({"payload": {"stage_id": Uuid::now_v7(), "student_id": user_id}, "_meta": meta(HOSTILE)});
    let poison = json!({"payload": {"user_id": HOSTILE, "email": HOSTILE, "role": HOSTILE, HOSTILE: HOSTILE},
                        "_meta": meta(HOSTILE)});
    for (key, body) in [
        ("auth.user.created".to_owned(), first.to_string()),
        ("auth.user.created".to_owned(), second.to_string()),
        ("stage.created".to_owned(), unknown_student.to_string()),
        ("auth.user.created".to_owned(), poison.to_string()),
        (format!("student.{HOSTILE}"), unknown_student.to_string()),
        (format!("student.x{HOSTILE}"), HOSTILE.to_owned()),
    ] {
        let sent = stack.vhost.publish_with(&key, body, properties.clone());
        sent.await;
    }
}

#[tokio::test]
async fn hostile_text_stays_text_in_every_output() {
    let stack = Stack::start().await;
    let user_id = Uuid::now_v7();
    let watchers = ["", "--payload", "--json"].map(|options| Watcher::start(&stack, options));
    eventually(SOON, "the watchers listen", async || {
        let bindings = stack.vhost.inspect("bindings").await;
        let to_all = |binding: &&Value| binding["routing_key"] == "#";
        bindings
            .as_array()
            .into_iter()
            .flatten()
            .filter(to_all)
            .count()
            == watchers.len()
    })
    .await;
    publish(&stack, user_id).await;
    eventually(SOON, "all are parked or handled", async || {
        stack.profile.count("parked_event").await == 1
            && stack.comm.count("parked_event").await == 3
            && stack.comm.count("communications_notification").await == 2
    })
    .await;
    // No process claims it: it stays unpublished.
    stack
        .auth
        .run(&format!(
            "insert into outbox (event_id, routing_key, aggregate_id, aggregate_version, correlation_id, envelope,
                                 claimed_until)
             values (gen_random_uuid(), '{HOSTILE}', '{user_id}', 1, gen_random_uuid(), '{{}}', 'infinity')"
        ))
        .await;
    let channel = stack.vhost.channel().await;
    let bind = channel.queue_bind(
        COMM.queue.name.into(),
        EXCHANGE.into(),
        HOSTILE.into(),
        Default::default(),
        FieldTable::default(),
    );
    bind.await.expect("the queue exists");

    let mut commands = vec![
        "dead list".to_owned(),
        "dead list --waiting".into(),
        "dead list --each --waiting".into(),
        "dead list --json".into(),
        "dead list --each --waiting --json".into(),
        "dead discard --all --dry-run".into(),
        "outbox".into(),
        "outbox --json".into(),
        "queues".into(),
        "queues --json".into(),
        "doctor".into(),
        "doctor --json".into(),
        "trace hostile@example.com".into(),
        "trace hostile@example.com --json".into(),
        "trace zebra".into(),
        "trace zebra --json".into(),
        "trace hostil@example.com".into(),
        "reconcile".into(),
        "reconcile --json".into(),
    ];
    for (_, database) in stack.databases() {
        let ids = "select coalesce(string_agg(event_id::text, ' '), '') from parked_event";
        for id in database.value(ids).await.split_whitespace() {
            for command in [
                "dead show ID",
                "dead show ID --payload",
                "trace ID",
                "trace ID --json",
            ] {
                commands.push(command.replace("ID", id));
            }
        }
    }
    for command in &commands {
        let output = medtrack(&stack, command).await;
        assert_harmless(command, &output);
        if command.ends_with("--json") && !output.stdout.is_empty() {
            let parsed = serde_json::from_slice::<Value>(&output.stdout);
            assert!(parsed.is_ok(), "{command}: {parsed:?}");
        }
    }
    // An event of another publisher that was handled is found as the cause of one of ours.
    let output = medtrack(&stack, "trace second@example.com").await;
    let trace = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(trace.contains("  auth.user.created  "), "{trace}");
    let unread = medtrack(&stack, "dead list").await;
    let shown = String::from_utf8_lossy(&unread.stdout).into_owned();
    assert!(shown.contains("student.\\x1b[31mred"), "{shown}");
    for watcher in watchers {
        watcher.assert_harmless(4).await;
    }
}
