//! Registrations from many clients at once, beside the hashes that this machine can do.

use crate::{
    chain::chain_times,
    cpu::{self, Cpu},
    floor::hash_ceiling,
    report::{Figure, PARTS, Report, quantile},
};
use events::Role;
use futures_util::future::join_all;
use std::time::{Duration, Instant};
use test_support::{
    Stack, Unit,
    client::{REGISTER, anybody, newcomer},
    eventually,
};

/// How long each part of a storm lasts.
const PART: Duration = Duration::from_secs(3);

pub(crate) async fn measure(stack: &Stack, cpu: &Cpu, report: &mut Report) {
    for clients in [1, 8, 32] {
        storm(stack, cpu, clients, report).await;
    }
}

async fn storm(stack: &Stack, cpu: &Cpu, clients: usize, report: &mut Report) {
    let earlier = stack.auth.count("users_session").await;
    // Warms the memory of the hashes and the connections up.
    register_for(stack, clients, Duration::from_millis(500)).await;
    let (mut rates, mut ratios, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let before = cpu.now(stack);
    let mut count = 0;
    let mut ceiling = ceiling_now().await;
    for _ in 0..PARTS {
        let began = Instant::now();
        let part = register_for(stack, clients, PART).await;
        let rate = part.len() as f64 / began.elapsed().as_secs_f64();
        let after = ceiling_now().await;
        rates.push(rate);
        ratios.push(rate / ((ceiling + after) / 2.0));
        ceiling = after;
        count += part.len();
        answers.push(quantile(&part, 0.5));
    }
    let used = cpu::used(&before, &cpu.now(stack));
    let path = |name: &str| format!("registrations.{clients}.{name}");
    let about = |what: &str| format!("{clients} clients: {what}");
    let unit = "a second";
    report.add(Figure::of_parts(
        &path("per_second"),
        &about("registrations"),
        unit,
        rates,
    ));
    let asked = if clients == 1 {
        None
    } else {
        Some("at least 0.8")
    };
    let what = about("registrations to hashes on all cores");
    let ratio = Figure::of_parts(&path("to_hash_ceiling"), &what, "times", ratios);
    report.add(asked.into_iter().fold(ratio, Figure::asked));
    let answer = Figure::of_parts(&path("answer_p50_ms"), &about("answer, p50"), "ms", answers);
    report.add(if clients == 1 {
        answer.asked("at most 22")
    } else {
        answer
    });
    eventually(Duration::from_secs(60), "all are welcomed", async || {
        let sessions = stack.auth.count("users_session").await;
        stack.comm.count("communications_notification").await == sessions
    })
    .await;
    let chain = quantile(&chain_times(stack, earlier).await, 0.99);
    let figure = Figure::new(
        &path("chain_p99_ms"),
        &about("commit to notification, p99"),
        "ms",
        chain,
    );
    report.add(figure.asked("at most 100"));
    for (process, seconds) in used {
        let what = about(&format!("CPU a registration, {process}"));
        let ms = seconds * 1e3 / count as f64;
        report.add(Figure::new(
            &path(&format!("cpu_ms.{process}")),
            &what,
            "ms",
            ms,
        ));
    }
}

/// Registers until the time is over. Returns how long each answer took, in milliseconds.
async fn register_for(stack: &Stack, clients: usize, time: Duration) -> Vec<f64> {
    let url = format!("http://{}{REGISTER}", stack.http(Unit::Auth));
    let client = reqwest::Client::new();
    let began = Instant::now();
    let answers = join_all((0..clients).map(async |_| {
        let mut answers = Vec::new();
        while began.elapsed() < time {
            let body = newcomer(Role::Student);
            let sent = Instant::now();
            let request = client.post(&url).header("x-forwarded-for", anybody());
            let response = request.json(&body).send().await.unwrap();
            assert_eq!(response.status(), 201);
            response.bytes().await.unwrap();
            answers.push(sent.elapsed().as_secs_f64() * 1e3);
        }
        answers
    }))
    .await;
    answers.concat()
}

async fn ceiling_now() -> f64 {
    tokio::task::spawn_blocking(hash_ceiling).await.unwrap()
}
