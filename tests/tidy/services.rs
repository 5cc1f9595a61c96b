//! Inside a service: which room may use which, and where SQL, transactions and status codes stand.

use crate::source::{assert_none, containing, rooms_used, services, sources};

#[test]
fn rooms_of_a_service_are_entered_in_one_direction() {
    let mut broken = Vec::new();
    for file in services() {
        let allowed: &[&str] = match file.room() {
            Some("domain") => &["domain"],
            Some("store") => &["store", "domain"],
            Some("actions") => &["actions", "store", "domain"],
            Some("consumer") => &["consumer", "actions", "domain"],
            _ => continue,
        };
        let code = file.code();
        let rooms = [
            "http", "consumer", "commands", "actions", "store", "domain", "config",
        ];
        broken.extend(
            rooms_used(&code)
                .into_iter()
                .filter(|room| rooms.contains(&room.as_str()) && !allowed.contains(&room.as_str()))
                .map(|room| format!("{}: {room}", file.path)),
        );
    }
    assert_none(broken, "domain ← store ← actions ← doors");
}

#[test]
fn sql_stands_in_store_only() {
    let files: Vec<_> = services()
        .into_iter()
        .filter(|file| file.room() != Some("store"))
        .collect();
    assert_none(
        containing(
            &files,
            &["sqlx::query", "query!(", "query_as!(", "query_scalar!("],
        ),
        "SQL belongs into store/",
    );
    assert_none(
        containing(
            &sources(&["crates/service-kit/src", "crates/events/src"], ".rs"),
            &["sqlx::query"],
        ),
        "SQL belongs into a service's store/",
    );
}

#[test]
fn doors_open_and_commit_and_answer() {
    let inside: Vec<_> = services()
        .into_iter()
        .filter(|file| {
            matches!(
                file.room(),
                Some("domain" | "store" | "actions" | "consumer")
            )
        })
        .collect();
    assert_none(
        containing(&inside, &[".begin(", ".commit("]),
        "actions borrow the transaction of their door",
    );
    let outside: Vec<_> = services()
        .into_iter()
        .filter(|file| file.room() != Some("http"))
        .collect();
    assert_none(
        containing(&outside, &["StatusCode", "axum::"]),
        "status codes belong into http/",
    );
}

/// The places in `code` of everything between the parentheses of `call(…)`.
fn arguments(code: &str, call: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    for (at, _) in code.match_indices(call) {
        let start = at + call.len();
        let mut depth = 1;
        let end = code[start..].find(|c| {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        ranges.push(start..end.map_or(code.len(), |end| start + end));
    }
    ranges
}

#[test]
fn a_client_that_goes_away_interrupts_no_transaction() {
    assert_eq!(arguments("f(a(b)c) d f()", "f("), [2..7, 13..13]);
    let mut broken = Vec::new();
    let mut count = 0;
    for file in services() {
        if file.room() != Some("http") {
            continue;
        }
        let code = file.code();
        let inside = arguments(&code, "detached(");
        for (at, _) in code.match_indices(".begin(") {
            count += 1;
            if !inside.iter().any(|range| range.contains(&at)) {
                let line = code[..at].lines().count();
                broken.push(format!("{}: begin on line {line} of its code", file.path));
            }
        }
    }
    assert!(count > 0, "there are transactions in http/");
    assert_none(
        broken,
        "begin a transaction inside of `detached(async move { … })`",
    );
}
