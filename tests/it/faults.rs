//! Real faults during a stream of registrations: no event is lost, doubled or invented, and work goes on afterwards.

use events::Role;
use std::time::{Duration, Instant};
use test_support::{Ledger, Links, Mode, Stack, Unit, eventually};

/// The pause between two registrations: at twenty a second, argon2 takes most of a core.
const EVERY: Duration = Duration::from_millis(50);
/// The time within which work goes on after a fault is over.
const RECOVERY: Duration = Duration::from_secs(5);
/// The time within which every event has arrived.
const DRAINED: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(15);

#[tokio::test]
async fn any_process_may_be_killed_or_stopped() {
    let _turn = crate::alone().await;
    let mut stack = Stack::start().await;
    let ledger = Ledger::new(&stack.client);
    for unit in Unit::ALL {
        let load = ledger.load(EVERY);
        under_way(&stack).await;
        stack.kill(unit).await;
        stack.start_units(&[unit]).await;
        under_way(&stack).await;
        load.stop().await;
        ledger.proof_of_life(RECOVERY).await;
    }
    ledger
        .settle(&stack, "kill -9 of each process", DRAINED)
        .await
        .assert_clean();

    let load = ledger.load(EVERY);
    for unit in Unit::ALL {
        under_way(&stack).await;
        let status = stack.stop(unit, STOP).await;
        assert_eq!(status.code(), Some(0), "{unit:?} after SIGTERM");
        stack.start_units(&[unit]).await;
    }
    load.stop().await;
    ledger
        .settle(&stack, "SIGTERM to each process", DRAINED)
        .await
        .assert_clean();
    ledger.proof_of_life(RECOVERY).await;
}

/// Waits until there are some more events than now.
async fn under_way(stack: &Stack) {
    let before = stack.auth.count("outbox").await;
    eventually(DRAINED, "registrations go on", async || {
        stack.auth.count("outbox").await > before + 4
    })
    .await;
}

#[tokio::test]
async fn registration_does_not_need_the_broker() {
    let _turn = crate::alone().await;
    let mut stack = Stack::prepare(Links::Proxied).await;
    let ledger = Ledger::new(&stack.client);
    // It does not need the broker for its start either.
    stack.set_broker(Mode::Refuse);
    stack.spawn(&Unit::ALL);
    eventually(STOP, "the API answers without a broker", async || {
        ledger.register(Role::Student).await
    })
    .await;
    stack.set_broker(Mode::Pass);
    ledger.proof_of_life(RECOVERY).await;

    for mode in [
        Mode::Refuse,
        Mode::Reset,
        Mode::AcceptThenClose,
        Mode::BlackHole,
    ] {
        stack.set_broker(mode);
        for role in [Role::Student, Role::Encadrant, Role::Student] {
            let began = Instant::now();
            assert!(
                ledger.register(role).await,
                "201 without a broker ({mode:?})"
            );
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{mode:?}: at once, not {:?}",
                began.elapsed()
            );
        }
        let kept = stack.auth.count("outbox where published_at is null").await;
        assert_eq!(kept, 3, "{mode:?}: the events are kept");
        if mode == Mode::Refuse {
            gave_up(&stack).await;
        }
        noticed(&stack, mode).await;
        stack.set_broker(Mode::Pass);
        let back = ledger.proof_of_life(RECOVERY).await;
        let fault = format!("broker {mode:?} at registration, back after {back:.1?}");
        ledger.settle(&stack, &fault, RECOVERY).await.assert_clean();
    }
}

/// The relay tries twice more, 500 ms apart, before it says that it leaves the event to the sweep.
async fn gave_up(stack: &Stack) {
    let auth = stack.process(Unit::Auth);
    for retry in ["retry 1 of 2 in 500 ms", "retry 2 of 2 in 500 ms"] {
        auth.line(&format!("WARN Publishing failed, {retry}")).await;
    }
    auth.line("ERROR Failed to publish event: ").await;
}

/// Waits until the processes have noticed that the broker is away; a black hole shows by missing heartbeats.
async fn noticed(stack: &Stack, mode: Mode) {
    for unit in Unit::CONSUMERS {
        let internal = stack.internal(unit);
        let what = format!("{unit:?} notices {mode:?}");
        eventually(STOP, &what, async || {
            !test_support::process::is_ready(internal).await
        })
        .await;
    }
}

#[tokio::test]
async fn a_consumer_may_lose_its_database() {
    let _turn = crate::alone().await;
    let mut stack = Stack::prepare(Links::Proxied).await;
    stack.start_units(&Unit::ALL).await;
    let ledger = Ledger::new(&stack.client);

    let load = ledger.load(EVERY);
    for database in [&stack.profile, &stack.comm, &stack.auth] {
        under_way(&stack).await;
        assert!(database.terminate_sessions().await > 0);
    }
    load.stop().await;
    ledger
        .settle(&stack, "sessions terminated", DRAINED)
        .await
        .assert_clean();
    ledger.proof_of_life(RECOVERY).await;

    for (unit, mode) in [
        (Unit::ProfileConsumer, Mode::Refuse),
        (Unit::CommConsumer, Mode::Reset),
        (Unit::ProfileConsumer, Mode::BlackHole),
    ] {
        let load = ledger.load(EVERY);
        under_way(&stack).await;
        stack.database_link(unit).set(mode);
        let internal = stack.internal(unit);
        let what = format!("{unit:?} notices {mode:?}");
        eventually(STOP, &what, async || {
            !test_support::process::is_ready(internal).await
        })
        .await;
        under_way(&stack).await;
        load.stop().await;
        stack.database_link(unit).set(Mode::Pass);
        let back = ledger.proof_of_life(RECOVERY).await;
        let fault = format!("database {mode:?} for {unit:?}, back after {back:.1?}");
        ledger.settle(&stack, &fault, DRAINED).await.assert_clean();
    }
    let statuses = ledger.statuses();
    assert!(
        statuses.iter().all(|status| [201, 503].contains(status)),
        "answers without a database: {statuses:?}"
    );
}
