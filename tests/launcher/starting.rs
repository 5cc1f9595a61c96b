//! A start that does not come to its end.

use crate::{ALONE, home::Home, is_alive, unit, verbs};
use std::{fs, time::Duration};
use test_support::eventually;

const SHUT_DOWN: &str = "database system is shut down";

#[tokio::test]
async fn a_start_that_is_interrupted_ends_cleanly_and_the_next_one_works() {
    let _alone = ALONE.lock().await;
    let home = Home::new();
    let mut launcher = home.up_without_terminal();
    let starting = async || postgres_log(&home).contains("ready to accept connections");
    eventually(Duration::from_secs(60), "PostgreSQL runs", starting).await;
    let children = home.children();
    home.shell(&format!("kill -INT {}", launcher.id().expect("it runs")))
        .await;
    let ended = launcher.wait().await.expect("it is a child");
    assert_eq!(ended.code(), Some(1), "a start that was interrupted fails");
    assert!(postgres_log(&home).contains(SHUT_DOWN));
    assert!(!children.iter().any(|pid| is_alive(pid)));

    // The same by `stop`, which says so.
    let mut launcher = home.up_without_terminal();
    let starting = async || postgres_log(&home).matches("ready to accept").count() == 2;
    eventually(Duration::from_secs(60), "PostgreSQL runs", starting).await;
    let stopped = home.medtrack("stop").await;
    assert!(stopped.contains("Stopped while starting"), "{stopped}");
    launcher.wait().await.expect("it is a child");

    // The same in the background.
    home.shell(
        r#""$MEDTRACK_ROOT/medtrack" up --detach > up.log 2>&1 &
        until [ "$(grep -c 'ready to accept' .medtrack/logs/postgres.log)" = 3 ]; do sleep 0.05; done
        kill -INT $!
        ! wait $!
        grep -q 'stopped by a signal while starting' up.log"#,
    )
    .await;

    let output = home.medtrack("up --detach --scale comm-consumer=2").await;
    assert!(output.contains("is ready"), "{output}");
    verbs::is_everywhere(&home, 2).await;
    let warnings = home.medtrack("logs --level warn comm-consumer").await;
    assert!(!warnings.contains("Lost the subscription"), "{warnings}");
    an_unplanned_end_is_in_the_logs(&home).await;
    home.medtrack("stop").await;
    postgres_ended_cleanly(&home, 4);
    each_verb_says_that_nothing_runs(&home).await;
}

/// The addresses of the stopped stack are still there.
async fn each_verb_says_that_nothing_runs(home: &Home) {
    for verb in [
        "doctor",
        "trace someone@example.com",
        "dead list",
        "audit",
        "outbox",
        "queues",
        "demo",
        "watch",
        "reconcile",
        "topology apply",
        "events replay --since 1h --to comm",
        "create-admin --email admin@example.com",
        "ps",
        "restart comm-consumer",
        "stop comm-consumer",
        "start comm-consumer",
    ] {
        let script = format!("code=0; ./medtrack {verb} < /dev/null || code=$?; echo code $code");
        let text = home.shell(&script).await;
        assert!(
            text.contains("does not run here") || text.contains("nothing of it runs"),
            "{verb}: {text}"
        );
        assert!(
            text.contains("try: ./medtrack up") || text.contains("./medtrack up --detach"),
            "{verb}: {text}"
        );
        assert!(text.contains("code 1\n"), "{verb}: {text}");
    }
    let sample = home.medtrack("events show student.created").await;
    assert!(sample.contains("student.created"), "{sample}");
}

async fn an_unplanned_end_is_in_the_logs(home: &Home) {
    home.medtrack("logs --level error launcher").await;
    let consumer = unit(home, "comm-consumer").pid.expect("it runs");
    home.shell(&format!("kill -9 {consumer}")).await;
    let is_told = async || {
        let warnings = home.medtrack("logs --level warn launcher").await;
        assert!(!warnings.contains(" INFO "), "{warnings}");
        warnings.contains("WARN comm-consumer has ended (signal: 9")
    };
    eventually(Duration::from_secs(10), "its end is in the logs", is_told).await;
}

/// Asserts how often PostgreSQL has ended by itself, and that it never had to recover from an end of another kind.
fn postgres_ended_cleanly(home: &Home, times: usize) {
    let log = postgres_log(home);
    assert_eq!(log.matches(SHUT_DOWN).count(), times, "{log}");
    assert!(!log.contains("not properly shut down"), "{log}");
}

pub(crate) fn postgres_log(home: &Home) -> String {
    fs::read_to_string(home.dir.join(".medtrack/logs/postgres.log")).unwrap_or_default()
}
