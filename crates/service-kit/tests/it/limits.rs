//! The limits that a client cannot pass.

use crate::app::Server;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sends these bytes and waits. Returns the response, and after how many seconds the server closed the connection.
async fn send_and_wait(server: &Server, sent: &str) -> (String, f64) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let read =
        tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut response)).await;
    read.expect("the server hangs up").unwrap();
    (
        String::from_utf8(response).unwrap(),
        began.elapsed().as_secs_f64(),
    )
}

/// Sends a head that has no end, a byte at a time, as the attack of this name does. Returns what was answered, and after
/// how many seconds the server closed the connection.
async fn drip(server: &Server) -> (String, f64) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = b"GET /api/me HTTP/1.1\r\nhost: x\r\nx-slow: ";
    stream.write_all(head).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = async {
        while writer.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let mut response = Vec::new();
    let closed = async {
        // The server may close with a reset, because it does not read what comes meanwhile.
        let _ = reader.read_to_end(&mut response).await;
    };
    let either = async {
        tokio::select! {
            () = drip => {}
            () = closed => {}
        }
    };
    let limited = tokio::time::timeout(Duration::from_secs(20), either).await;
    limited.expect("the server hangs up");
    let seconds = began.elapsed().as_secs_f64();
    (String::from_utf8(response).unwrap(), seconds)
}

/// axum's own server would wait without end. All at once, because each takes its time.
#[tokio::test]
async fn slow_loris_closed_in_10s() {
    let server = Server::start().await;
    let slow_body = "POST /api/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let (silent, dripped, half_head, idle, body, handler) = tokio::join!(
        send_and_wait(&server, ""),
        drip(&server),
        send_and_wait(&server, "GET /api/me HTTP/1.1\r\nhost: x\r\nx-slow: "),
        send_and_wait(&server, "GET /api/me HTTP/1.1\r\nhost: x\r\n\r\n"),
        send_and_wait(&server, slow_body),
        send_and_wait(
            &server,
            "GET /api/never HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        ),
    );
    for (what, (response, seconds), limit) in [
        ("silent", &silent, 10.0),
        ("a byte at a time", &dripped, 10.0),
        ("half a head", &half_head, 10.0),
        ("idle", &idle, 10.0),
        ("slow body", &body, 15.0),
        ("slow handler", &handler, 15.0),
    ] {
        assert!(
            (limit - 0.5..limit + 2.0).contains(seconds),
            "{what}: {seconds} s, {response}"
        );
    }
    assert!(silent.0.is_empty());
    assert!(idle.0.starts_with("HTTP/1.1 401"), "{}", idle.0);
    for (response, _) in [&body, &handler] {
        assert!(
            response.starts_with("HTTP/1.1 503") && response.contains("TIMEOUT"),
            "{response}"
        );
    }
}

#[tokio::test]
async fn a_server_that_stops_does_not_wait_for_a_half_sent_head() {
    let server = Server::start().await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(b"GET /api/me HTTP/1.1\r\n").await.unwrap();
    let idle = reqwest::Client::new();
    idle.get(server.url("/nothing")).send().await.unwrap();
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), server.task)
        .await
        .expect("it ends in time")
        .unwrap();
}

#[tokio::test]
async fn a_head_over_16_kib_is_refused() {
    let server = Server::start().await;
    let request = reqwest::Client::new().get(server.url("/api/me"));
    let response = request
        .header("x-large", "x".repeat(20_000))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 431);
}

#[tokio::test]
async fn body_over_limit_413() {
    const LIMIT: usize = 16 * 1024;

    let server = Server::start().await;
    let frame = r#"{"name": "", "age": "36"}"#.len();
    let post = |size: usize| {
        let body = format!(r#"{{"name": "{}", "age": "36"}}"#, "x".repeat(size - frame));
        let request = reqwest::Client::new().post(server.url("/api/echo"));
        (request.header("content-type", "application/json"), body)
    };
    for (size, status) in [(LIMIT, 200), (LIMIT + 1, 413), (100 * LIMIT, 413)] {
        let (request, body) = post(size);
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{size} bytes");
    }
    // Without a length, the body is counted while it comes.
    let chunks = format!("{:x}\r\n{}\r\n", LIMIT + 1, "x".repeat(LIMIT + 1));
    let chunked = format!(
        "POST /api/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    );
    let (response, _) = send_and_wait(&server, &chunked).await;
    assert!(response.starts_with("HTTP/1.1 413"), "{response}");
    assert!(response.contains("TOO_LARGE"), "{response}");
}
