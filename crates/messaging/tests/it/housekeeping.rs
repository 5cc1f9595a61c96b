//! Which process measures and purges.

use crate::fixture::{Fixture, SOON, commit, user};
use messaging::Housekeeping;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::thread::JoinHandle;
use test_support::eventually;
use tokio_util::sync::CancellationToken;

const HOLDERS: &str = "pg_locks where locktype = 'advisory' and granted
    and database = (select oid from pg_database where datname = current_database())";
/// A process whose try to take the lock failed has sent no statement since.
const TRIED: &str = "pg_stat_activity where datname = current_database() and state = 'idle'
    and query like 'select pg_try_advisory_lock%'";

/// The housekeeping of a process: a thread with metrics of its own.
struct Replica {
    metrics: PrometheusHandle,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Replica {
    fn start(url: &str) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let (metrics, stop) = (recorder.handle(), CancellationToken::new());
        let (url, stopping) = (url.to_owned(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            metrics::with_local_recorder(&recorder, || {
                runtime.block_on(async {
                    let pool = sqlx::PgPool::connect_lazy(&url).unwrap();
                    Housekeeping::new(&pool).run(stopping).await;
                });
            });
        });
        Self {
            metrics,
            stop,
            thread: Some(thread),
        }
    }

    /// The depth of the outbox, when this process has set it.
    fn depth(&self) -> Option<f64> {
        self.gauge("medtrack_outbox_depth")
    }

    /// A gauge, with its labels, when this process has set it.
    fn gauge(&self, series: &str) -> Option<f64> {
        let text = self.metrics.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    fn measures(&self) -> bool {
        self.depth() == Some(1.0)
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[tokio::test]
async fn one_process_measures_and_after_its_end_another_one_does() {
    let fixture = Fixture::new().await;
    commit(&fixture.outbox_without_relay(), user("unpublished")).await;
    let first = Replica::start(&fixture.database.url);
    eventually(SOON, "the first measures", async || first.measures()).await;
    let second = Replica::start(&fixture.database.url);
    eventually(SOON, "the second has tried", async || {
        fixture.database.count(TRIED).await == 1
    })
    .await;
    assert_eq!(second.depth(), None, "the second sets no gauge");
    assert_eq!(fixture.database.count(HOLDERS).await, 1);
    drop(first);
    eventually(SOON, "the second measures", async || second.measures()).await;
}

#[tokio::test]
async fn a_process_that_loses_the_lock_keeps_no_stale_value() {
    let fixture = Fixture::new().await;
    commit(&fixture.outbox_without_relay(), user("unpublished")).await;
    let first = Replica::start(&fixture.database.url);
    eventually(SOON, "the first measures", async || first.measures()).await;
    let second = Replica::start(&fixture.database.url);
    eventually(SOON, "the second has tried", async || {
        fixture.database.count(TRIED).await == 1
    })
    .await;
    let terminated = format!("(select pg_terminate_backend(pid) from {HOLDERS})");
    assert!(fixture.database.is(&terminated).await);
    // Either may take the lock. The other one has no value, or NaN.
    eventually(SOON, "one measures, and only one", async || {
        first.measures() != second.measures() && fixture.database.count(HOLDERS).await == 1
    })
    .await;
    let other = if first.measures() { &second } else { &first };
    assert!(other.depth().is_none_or(f64::is_nan), "{:?}", other.depth());
}

/// An erased row needs no person: if it were counted, the alert would never end, and would hide the next dead event.
#[tokio::test]
async fn an_erased_event_is_not_counted_as_dead() {
    let fixture = Fixture::new().await;
    for (kind, body) in [("erased", ""), ("rejected", "x")] {
        let row = format!(
            "insert into parked_event (event_id, state, queue, exchange, routing_key, body, admitted, kind, reason)
             values (gen_random_uuid(), 'dead', 'q', 'e', 'k', '{body}', true, '{kind}', 'r')"
        );
        fixture.database.run(&row).await;
    }
    let replica = Replica::start(&fixture.database.url);
    let dead = r#"medtrack_parked_events{state="dead"}"#;
    eventually(SOON, "one is counted", async || {
        replica.gauge(dead) == Some(1.0)
    })
    .await;
    let round = r#"medtrack_task_finished_seconds{task="housekeeping"}"#;
    eventually(SOON, "the round has its time", async || {
        replica.gauge(round) > Some(1.7e9)
    })
    .await;
}
