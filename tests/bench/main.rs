//! How fast the system is, beside what this machine can do at all: ratios carry over, figures do not.
//!
//! `./medtrack bench` runs it. PostgreSQL has to keep commit timestamps (`track_commit_timestamp = on`): they
//! tell, on the server's one clock, when a registration and its notification were committed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a report for a person")]
#![expect(
    clippy::disallowed_methods,
    reason = "tables of other crates, and of its own"
)]

mod chain;
mod compare;
mod cpu;
mod drain;
mod floor;
mod inbox;
mod lists;
mod registrations;
mod report;

use cpu::Cpu;
use drain::Load;
use report::{Figure, Report};
use std::time::Duration;
use test_support::{Stack, Unit};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let earlier = arguments
        .iter()
        .skip_while(|argument| *argument != "--compare")
        .nth(1)
        .map(|file| compare::read(file));

    let mut report = Report::default();
    let mut stack = Stack::start().await;
    // Only inboxes, of so many notifications.
    let notices = arguments
        .iter()
        .skip_while(|argument| *argument != "--inbox")
        .nth(1);
    if let Some(notices) = notices {
        let notices = notices.parse().expect("--inbox takes a number");
        inbox::measure(&stack, notices, &mut report).await;
        report.print();
        return;
    }
    let cpu = Cpu::of(&stack).await;
    memory(&stack, &mut report, "resident_mb", "idle").await;
    let floor = floor::measure(&stack, &mut report).await;
    chain::measure(&stack, floor, &mut report).await;
    registrations::measure(&stack, &cpu, &mut report).await;
    memory(
        &stack,
        &mut report,
        "resident_after_mb",
        "5 s after these registrations",
    )
    .await;
    for load in [Load::Plain, Load::Duplicates, Load::Alternating] {
        drain::measure(&mut stack, load, &mut report).await;
    }
    lists::measure(&stack, &mut report).await;

    match earlier {
        Some(earlier) => compare::print(&earlier, &report),
        None if has("--json") => println!("{:#}", report.json()),
        None => report.print(),
    }
}

/// The resident memory of all processes, five seconds after the part before.
async fn memory(stack: &Stack, report: &mut Report, path: &str, when: &str) {
    tokio::time::sleep(Duration::from_secs(5)).await;
    let all: Vec<(Unit, f64)> = Unit::ALL
        .into_iter()
        .map(|unit| (unit, stack.process(unit).resident_mb()))
        .collect();
    for (unit, mb) in &all {
        let about = format!("resident memory of {unit:?}, {when}");
        report.add(Figure::new(&format!("{path}.{unit:?}"), &about, "MB", *mb));
    }
    let sum = all.iter().map(|(_, mb)| mb).sum();
    let about = format!("resident memory of all processes, {when}");
    report.add(Figure::new(&format!("{path}.all"), &about, "MB", sum).asked("at most 100"));
}
