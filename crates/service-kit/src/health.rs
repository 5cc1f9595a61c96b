//! The internal listener: `/health` (the process is alive), `/health/ready` (it can work), `/metrics`. A backlog
//! raises an alert; it does not restart the process.

use crate::{config::InternalConfig, http::server, metrics};
use anyhow::{Context as _, bail};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use serde_json::{Map, Value, json};
use std::{
    future::Future,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

type Run = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The checks of a process. Each is in the report of `/health/ready` and in the gauge `medtrack_ready{check=…}`.
/// Clones share them.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<Mutex<Vec<Check>>>,
}

#[derive(Clone)]
struct Check {
    name: &'static str,
    /// Whether the process is not ready while the check fails.
    decides: bool,
    run: Run,
}

impl Health {
    /// Makes a list without checks: the process is ready as soon as it answers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that must pass for the process to be ready. Its error is one readable reason.
    pub fn check<F, R>(&self, name: &'static str, check: F) -> &Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(name, true, Arc::new(move || check().boxed()))
    }

    /// Adds a check that is shown, but does not decide: without what it checks, the process still does its work.
    pub fn show<F, R>(&self, name: &'static str, check: F) -> &Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.add(name, false, Arc::new(move || check().boxed()))
    }

    fn add(&self, name: &'static str, decides: bool, run: Run) -> &Self {
        self.list().push(Check { name, decides, run });
        self
    }

    fn list(&self) -> MutexGuard<'_, Vec<Check>> {
        self.checks.lock().expect("no holder of this lock panics")
    }

    /// Runs the checks, and sets their gauges.
    async fn run(&self) -> Vec<(Check, Result<(), String>)> {
        let checks = self.list().clone();
        let results = join_all(checks.iter().map(|check| (check.run)())).await;
        for (check, result) in checks.iter().zip(&results) {
            let value = if result.is_ok() { 1.0 } else { 0.0 };
            ::metrics::gauge!("medtrack_ready", "check" => check.name).set(value);
        }
        checks.into_iter().zip(results).collect()
    }

    async fn report(&self) -> (bool, Value) {
        let mut ready = true;
        let mut report = Map::new();
        for (check, result) in self.run().await {
            ready &= result.is_ok() || !check.decides;
            report.insert(
                check.name.to_owned(),
                result.map_or_else(Value::from, |()| "ok".into()),
            );
        }
        (
            ready,
            json!({"status": if ready { "ready" } else { "not ready" }, "checks": report}),
        )
    }
}

/// Serves the internal listener until the process stops.
///
/// # Errors
/// When the address is taken.
pub fn serve(
    config: InternalConfig,
    health: Health,
    stopping: CancellationToken,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(listen(config, health, stopping))
}

async fn listen(
    config: InternalConfig,
    health: Health,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let rendered = metrics::init()?;
    let listener = TcpListener::bind(config.internal_addr)
        .await
        .with_context(|| {
            format!(
                "INTERNAL_ADDR: cannot listen on {}; choose another port",
                config.internal_addr
            )
        })?;
    let upkeep = rendered.clone();
    let upkeep = async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    };
    let router = Router::new()
        .route("/health", get(async || Json(json!({"status": "alive"}))))
        .route("/health/ready", get(ready))
        .route(
            "/metrics",
            // The gauges of the checks are as fresh as the page: a task that sets them could hang.
            get(async move |State(health): State<Health>| {
                health.run().await;
                rendered.render()
            }),
        )
        .with_state(health);
    tokio::select! {
        () = server::serve(listener, router, stopping) => Ok(()),
        () = upkeep => unreachable!("the upkeep of the metrics never ends"),
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let (ready, report) = health.report().await;
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(report),
    )
}

/// Runs the subcommand `healthcheck`: asks the process at this address whether it is ready. The image has no curl.
pub fn healthcheck(config: &InternalConfig) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(ask(config.internal_addr)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "this is a command's response, not a log line"
            )]
            {
                eprintln!("{error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            format!("GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.take(65_536).read_to_string(&mut response).await?;
        anyhow::Ok(response)
    };
    let response = tokio::time::timeout(Duration::from_secs(5), exchange)
        .await
        .with_context(|| format!("{address} did not answer within 5 s"))?
        .with_context(|| format!("cannot ask {address}; is the process running?"))?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or((&response, ""));
    if head.split(' ').nth(1) != Some("200") {
        bail!("not ready: {}", body.trim());
    }
    Ok(())
}
