//! The gateway by itself: Caddy with `deploy/Caddyfile`, and no service behind it.

use events::topology::SERVICES;
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use test_support::{eventually, port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

/// A running gateway; it ends with the test.
struct Gateway {
    address: SocketAddr,
    _caddy: Child,
}

impl Gateway {
    async fn start() -> Self {
        let address = port::free();
        let mut caddy = Command::new("caddy");
        caddy
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(deploy().join("Caddyfile"))
            .env("GATEWAY_PORT", address.port().to_string())
            .env("GATEWAY_BIND", "127.0.0.1")
            .env("XDG_DATA_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
            .stderr(Stdio::null())
            .kill_on_drop(true);
        for service in SERVICES {
            let variable = format!("{}_UPSTREAM", service.short.to_uppercase());
            caddy.env(variable, port::free().to_string());
        }
        let caddy = caddy.spawn().expect("caddy is installed by ./medtrack up");
        eventually(Duration::from_secs(10), "the gateway listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            address,
            _caddy: caddy,
        }
    }

    /// Sends these bytes and then nothing; returns the response, and after how long the connection was closed.
    async fn send_and_stop(&self, bytes: &[u8]) -> (String, Duration) {
        let mut connection = TcpStream::connect(self.address).await.expect("it listens");
        connection.write_all(bytes).await.expect("it reads");
        let began = Instant::now();
        let mut response = Vec::new();
        timeout(
            Duration::from_secs(30),
            connection.read_to_end(&mut response),
        )
        .await
        .expect("the gateway closes the connection")
        .expect("it closes it properly");
        (
            String::from_utf8_lossy(&response).into_owned(),
            began.elapsed(),
        )
    }
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

#[tokio::test]
async fn problems_are_documents() {
    let _turn = crate::beside_others().await;
    let gateway = Gateway::start().await;
    for (path, status, code) in [
        ("/", 404, "NOT_FOUND"),
        ("/nothing", 404, "NOT_FOUND"),
        ("/auth/api/v1/login", 503, "SERVICE_AWAY"),
        ("/profile", 503, "SERVICE_AWAY"),
        ("/comm/api/notifications/", 503, "SERVICE_AWAY"),
    ] {
        let response = reqwest::get(format!("http://{}{path}", gateway.address))
            .await
            .expect("the gateway answers");
        assert_eq!(response.status().as_u16(), status, "{path}");
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        assert_eq!(
            header("content-type").as_deref(),
            Some("application/problem+json"),
            "{path}"
        );
        let retry_after = (status == 503).then_some("2");
        assert_eq!(header("retry-after").as_deref(), retry_after, "{path}");
        let body = response.bytes().await.expect("the response has a body");
        let problem: Value = serde_json::from_slice(&body).expect("the body is JSON");
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&status.into(), &code.into())
        );
        for field in ["type", "title", "detail"] {
            assert!(problem[field].is_string(), "{path}: {field} in {problem}");
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_loses_its_connection() {
    let _turn = crate::beside_others().await;
    let gateway = Gateway::start().await;
    let ((header, header_took), (_, silence_took), (_, body_took)) = tokio::join!(
        gateway.send_and_stop(b"GET /auth/ HTTP/1.1\r\nHost: localhost\r\nX-Half"),
        gateway.send_and_stop(b""),
        gateway.send_and_stop(
            b"POST /auth/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf"
        ),
    );
    assert!(!header.contains(" 200 "), "{header}");
    for (what, took, limit) in [
        ("half a header", header_took, 10),
        ("not one byte", silence_took, 10),
        ("half a body", body_took, 15),
    ] {
        let limit = Duration::from_secs(limit);
        let late = limit + Duration::from_secs(2);
        assert!(took > limit / 2 && took < late, "{what}: {took:?}");
    }
}

#[test]
fn the_gateway_with_tls_has_the_same_limits() {
    let limits = |file: &str| {
        let text = fs::read_to_string(deploy().join(file)).expect("the file is there");
        let (_, limits) = text.split_once("\tservers {").expect("it has limits");
        let (limits, _) = limits.split_once("\n}\n").expect("they end");
        limits.to_owned()
    };
    assert_eq!(limits("Caddyfile"), limits("Caddyfile.production"));
}
