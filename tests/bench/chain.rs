//! The chain of one registration after the other, from its commit to its notification's.

use crate::{
    floor::{PACE, ROUNDS},
    report::{Figure, Report, add_times, by_parts},
};
use events::Role;
use std::{collections::HashMap, time::Duration};
use test_support::{Stack, eventually};
use uuid::Uuid;

pub(crate) async fn measure(stack: &Stack, floor: Vec<f64>, report: &mut Report) {
    for i in 0..ROUNDS {
        let role = if i % 2 == 0 {
            Role::Student
        } else {
            Role::Encadrant
        };
        stack.client.register(role).await;
        // The next password's hash would take a core from this one's chain.
        eventually(
            Duration::from_secs(10),
            "the user is welcomed",
            async || stack.comm.count("communications_notification").await == i as i64 + 1,
        )
        .await;
        tokio::time::sleep(PACE).await;
    }
    let times = chain_times(stack, 0).await;
    let about = "registration committed to notification";
    add_times(report, "chain", about, &times);
    let ratios = |share: f64| {
        let times = by_parts(&times, share);
        times
            .into_iter()
            .zip(&floor)
            .map(|(time, floor)| time / floor)
            .collect()
    };
    for (path, share, asked) in [
        ("chain_to_floor", 0.5, "at most 1.25"),
        ("chain_p99_to_floor", 0.99, "at most 3"),
    ] {
        let about = format!("{about}, p{:.0} to floor", share * 100.0);
        report.add(Figure::of_parts(path, &about, "times", ratios(share)).asked(asked));
    }
}

/// Milliseconds between the commits of each registration and of its notification, in the order of registrations,
/// without the first ones.
pub(crate) async fn chain_times(stack: &Stack, skipped: i64) -> Vec<f64> {
    // A session's row is written with the user's and never again.
    let registered: Vec<(Uuid, f64)> = sqlx::query_as(
        "select user_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8
         from users_session order by 2 offset $1",
    )
    .bind(skipped)
    .fetch_all(&stack.auth.pool)
    .await
    .expect("PostgreSQL keeps commit timestamps");
    let notified_at: HashMap<Uuid, f64> = sqlx::query_as(
        "select user_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8
         from communications_notification",
    )
    .fetch_all(&stack.comm.pool)
    .await
    .expect("PostgreSQL keeps commit timestamps")
    .into_iter()
    .collect();
    registered
        .into_iter()
        .map(|(user, at)| (notified_at[&user] - at) * 1e3)
        .collect()
}
