//! The gateway by itself: Caddy with `deploy/Caddyfile`, and no service behind it.

use events::topology::SERVICES;
use reqwest::Client;
use serde_json::Value;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use test_support::{eventually, port};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use uuid::Uuid;

/// A running gateway; it ends with the test.
struct Gateway {
    address: SocketAddr,
    log: PathBuf,
    _caddy: Child,
}

impl Gateway {
    async fn start() -> Self {
        let address = port::free();
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", Uuid::now_v7()));
        let mut caddy = Command::new("caddy");
        caddy
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(deploy().join("Caddyfile"))
            .env("GATEWAY_PORT", address.port().to_string())
            .env("GATEWAY_BIND", "127.0.0.1")
            .env("GATEWAY_WEB", deploy().join("../web"))
            .env("XDG_DATA_HOME", env!("CARGO_TARGET_TMPDIR"))
            .env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"))
            .stderr(File::create(&log).expect("a new file can be made"))
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
            log,
            _caddy: caddy,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The lines of the log with this text in them.
    fn lines(&self, text: &str) -> Vec<Value> {
        let log = fs::read_to_string(&self.log).expect("the gateway has a log");
        let lines = log.lines().filter(|line| line.contains(text));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
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
    for (path, body, status, code) in [
        ("/", 0, 404, "NOT_FOUND"),
        ("/nothing", 0, 404, "NOT_FOUND"),
        ("/start/index.html", 0, 404, "NOT_FOUND"),
        ("/nothing", 16_385, 413, "TOO_LARGE"),
        ("/auth/api/v1/register", 16_385, 413, "TOO_LARGE"),
        ("/auth/api/v1/register", 16_384, 503, "SERVICE_AWAY"),
        ("/auth/api/v1/login?token=hunter2", 0, 503, "SERVICE_AWAY"),
        ("/profile", 0, 503, "SERVICE_AWAY"),
        ("/comm/api/notifications/", 0, 503, "SERVICE_AWAY"),
    ] {
        let id = Uuid::now_v7().to_string();
        let response = Client::new()
            .post(gateway.url(path))
            .header("x-request-id", &id)
            .body("x".repeat(body))
            .send()
            .await
            .expect("the gateway answers");
        assert_eq!(response.status().as_u16(), status, "{path}");
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        assert_eq!(header("x-request-id").as_deref(), Some(&*id), "{path}");
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
        assert_eq!(problem["request_id"], id, "{path}");
        let lines = eventually(Duration::from_secs(5), "a line in the log", async || {
            Some(gateway.lines(&id)).filter(|lines| !lines.is_empty())
        })
        .await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["status"], status, "{lines:?}");
    }
    assert!(gateway.lines("hunter2").is_empty());
}

#[tokio::test]
async fn an_id_that_is_not_a_uuid_is_replaced() {
    let _turn = crate::beside_others().await;
    let gateway = Gateway::start().await;
    for sent in [None, Some("\",\"code\":\"x"), Some("7")] {
        let mut request = Client::new().get(gateway.url("/nothing"));
        if let Some(sent) = sent {
            request = request.header("x-request-id", sent);
        }
        let response = request.send().await.expect("the gateway answers");
        let header = response.headers()["x-request-id"].clone();
        let body = response.bytes().await.expect("the response has a body");
        let problem: Value = serde_json::from_slice(&body).expect("the body is JSON");
        let id = problem["request_id"].as_str().expect("a text");
        assert!(id.parse::<Uuid>().is_ok() && header == id, "{problem}");
        assert_eq!(problem["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_browser_gets_a_page_that_loads_nothing_from_elsewhere() {
    let _turn = crate::beside_others().await;
    let gateway = Gateway::start().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let request = Client::new().get(gateway.url("/"));
    let response = request
        .header("accept", browser)
        .send()
        .await
        .expect("the gateway answers");
    assert_eq!(response.status(), 200);
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none';") && !policy.contains("unsafe"),
        "{policy}"
    );
    let page = response.text().await.expect("a text");
    assert!(!page.contains("://"), "no other host: {page}");
    for service in SERVICES {
        for path in ["api/docs", "api/docs/openapi.json"] {
            let link = format!("href=\"/{}/{path}\"", service.short);
            assert!(page.contains(&link), "{link}");
        }
        assert!(page.contains(&format!("data-service=\"{}\"", service.short)));
    }
    let parts = page.split("=\"/start/").skip(1);
    let parts: Vec<_> = parts.filter_map(|part| part.split('"').next()).collect();
    assert_eq!(parts.len(), 3, "{parts:?}");
    for part in parts {
        let url = gateway.url(&format!("/start/{part}"));
        let response = reqwest::get(url).await.expect("the gateway answers");
        assert_eq!(response.status(), 200, "{part}");
        assert_eq!(response.headers()["content-security-policy"], policy);
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

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.log);
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
