//! The internal listener: health, readiness and metrics.

use crate::app::{new_key, router, verifier};
use axum::{body::Body, extract::Request};
use serde_json::{Value, json};
use service_kit::{
    config::InternalConfig,
    health::{self, Health, healthcheck},
};
use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use test_support::{eventually, port};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// One test: a process has one recorder of metrics.
#[tokio::test]
async fn the_internal_listener_reports_health_readiness_and_metrics() {
    let config = InternalConfig {
        internal_addr: port::free(),
    };
    let well = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&well);
    let health = Health::new();
    health
        .check("database", async || Ok(()))
        .show("relay", async || Err("RabbitMQ does not answer".to_owned()))
        .check("consumer", move || {
            let well = shared.load(Ordering::Relaxed);
            async move {
                if well {
                    Ok(())
                } else {
                    Err("no consumer for 10 s".to_owned())
                }
            }
        });
    let check = async |config: InternalConfig| {
        tokio::task::spawn_blocking(move || healthcheck(&config))
            .await
            .unwrap()
    };
    assert_eq!(
        check(config.clone()).await,
        ExitCode::FAILURE,
        "no process listens there yet"
    );

    let stop = CancellationToken::new();
    let serving = tokio::spawn(health::serve(config.clone(), health, stop.clone()));
    let url = |path: &str| format!("http://{}{path}", config.internal_addr);
    eventually(Duration::from_secs(5), "it listens", async || {
        reqwest::get(url("/health")).await.is_ok()
    })
    .await;
    let alive: Value = reqwest::get(url("/health"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(alive, json!({"status": "alive"}));
    let response = reqwest::get(url("/health/ready")).await.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert_eq!(
        response.json::<Value>().await.unwrap(),
        json!({"status": "not ready", "checks": {
            "database": "ok", "relay": "RabbitMQ does not answer", "consumer": "no consumer for 10 s"
        }})
    );
    assert_eq!(check(config.clone()).await, ExitCode::FAILURE);
    let metrics = async || {
        reqwest::get(url("/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let text = metrics().await;
    for gauge in [
        r#"medtrack_ready{check="database"} 1"#,
        r#"medtrack_ready{check="relay"} 0"#,
        r#"medtrack_ready{check="consumer"} 0"#,
    ] {
        assert!(text.contains(gauge), "{gauge}: {text}");
    }
    well.store(true, Ordering::Relaxed);
    assert_eq!(
        check(config.clone()).await,
        ExitCode::SUCCESS,
        "what is only shown does not decide"
    );
    let text = metrics().await;
    assert!(
        text.contains(r#"medtrack_ready{check="consumer"} 1"#),
        "{text}"
    );

    let api = router(verifier(&new_key()));
    for (method, path) in [
        ("GET", "/api/of/7"),
        ("GET", "/api/panic"),
        ("BREW", "/api/me"),
        ("GET", "/nothing/8"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        api.clone().oneshot(request).await.unwrap();
    }
    let metrics = metrics().await;
    for series in [
        r#"{method="GET",route="/api/of/{id}",status="200",le="0.0005"}"#,
        r#"{method="GET",route="/api/panic",status="500",le="10"}"#,
        r#"{method="other",route="/api/me",status="405",le="+Inf"}"#,
        r#"{method="GET",route="none",status="404",le="+Inf"}"#,
    ] {
        assert!(
            metrics.contains(&format!("medtrack_http_request_seconds_bucket{series}")),
            "{series}: {metrics}"
        );
    }
    assert!(
        !metrics.contains("BREW"),
        "a client cannot invent series: {metrics}"
    );

    stop.cancel();
    serving.await.unwrap().unwrap();
    assert_eq!(check(config).await, ExitCode::FAILURE);
}
