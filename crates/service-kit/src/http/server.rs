//! The server and its limits.

use crate::{
    config::HttpConfig,
    http::{
        Common, Problem, idempotency,
        request::{Peer, REQUEST_ID, RequestId},
    },
};
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use futures_util::future::BoxFuture;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{
    future::Future,
    io,
    panic::resume_unwind,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use tower::Layer as _;
use tower_http::{
    catch_panic::CatchPanicLayer, cors::CorsLayer, normalize_path::NormalizePathLayer,
};
use tracing::{Instrument as _, field::Empty};
use uuid::Uuid;

/// The largest request body, in bytes.
const BODY: usize = 16 * 1024;
/// The largest request head, in bytes.
const HEAD: usize = 16 * 1024;
/// How long a client may take to send the head; axum's own server has no such limit.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a request may take.
const REQUEST_TIME: Duration = Duration::from_secs(15);
/// How long requests may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(8);
/// Connections at the same time; more wait.
const CONNECTIONS: usize = 1024;

/// Adds to a service's routes what every API has: request ids, spans, problems, limits, CORS, headers, metrics.
///
/// # Errors
/// When an origin of `CORS_ORIGINS` is malformed.
pub fn layers(router: Router, config: &HttpConfig) -> anyhow::Result<Router> {
    let origins = config.cors_origins.iter().map(|origin| {
        origin
            .parse::<HeaderValue>()
            .map_err(|_| anyhow::anyhow!("CORS_ORIGINS: {origin:?} is no origin"))
    });
    let cors = CorsLayer::new()
        .allow_origin(origins.collect::<anyhow::Result<Vec<_>>>()?)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static(idempotency::HEADER),
            REQUEST_ID.clone(),
        ])
        .expose_headers([
            REQUEST_ID.clone(),
            header::LINK,
            header::RETRY_AFTER,
            HeaderName::from_static("x-total-count"),
            HeaderName::from_static("x-inbox-seq"),
        ])
        .max_age(Duration::from_secs(600));
    Ok(router
        .fallback(async || Problem::from(Common::NotFound))
        .method_not_allowed_fallback(async |method: Method| {
            Problem::from(Common::MethodNotAllowed)
                .detail(format!("{method} is not possible here."))
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(limit_time))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::internal("a handler panicked").into_response()
        }))
        .layer(cors)
        .layer(middleware::from_fn(measure))
        .layer(middleware::from_fn(finish)))
}

/// Gives the request its id and its span, and the response its last headers; writes the body of a problem.
async fn finish(mut request: Request, next: Next) -> Response {
    let from_client = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let id = RequestId(from_client.unwrap_or_else(Uuid::now_v7));
    request.extensions_mut().insert(id);
    // The highest level, so that a filter such as `warn` keeps the ids of its lines.
    let span = tracing::error_span!(
        "request",
        request_id = %id.0,
        method = method_of(&request),
        route = route_of(&request),
        user_id = Empty,
    );
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let problem = response.extensions_mut().remove::<Problem>();
    let refused = status.is_client_error() || status.is_server_error();
    if let Some(problem) = problem.or_else(|| refused.then(|| Problem::of_status(status))) {
        let mut rendered = span.in_scope(|| problem.render(id));
        // CORS has written its headers by now, and 405 its `allow`.
        let of_body = [header::CONTENT_LENGTH, header::CONTENT_TYPE];
        let kept = response
            .headers()
            .iter()
            .filter(|(name, _)| !of_body.contains(name));
        for (name, value) in kept {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
        response = rendered;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&id.0.to_string()) {
        headers.insert(REQUEST_ID.clone(), value);
    }
    response
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::from(Common::Timeout)
            .retry_after(5)
            .into_response(),
    }
}

/// The method, when it is one of the usual ones: a client can invent methods, and each would add a series of metrics.
fn method_of(request: &Request) -> String {
    let usual = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    let method = usual.iter().find(|usual| *usual == request.method());
    method.map_or("other", Method::as_str).to_owned()
}

/// The template of the route, without the ids and the query of the request.
fn route_of(request: &Request) -> String {
    let route = request.extensions().get::<MatchedPath>();
    route.map_or("none", MatchedPath::as_str).to_owned()
}

async fn measure(request: Request, next: Next) -> Response {
    let (method, route) = (method_of(&request), route_of(&request));
    let began = Instant::now();
    let response = next.run(request).await;
    let labels = [
        ("method", method),
        ("route", route),
        ("status", response.status().as_u16().to_string()),
    ];
    metrics::histogram!("medtrack_http_request_seconds", &labels)
        .record(began.elapsed().as_secs_f64());
    response
}

/// Serves until the process stops; then takes no more connections and lets requests end, for [`DRAIN`] at most.
///
/// A trailing slash is optional, without a redirect.
pub fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
) -> BoxFuture<'static, ()> {
    Box::pin(serve_at_most(CONNECTIONS, listener, router, stopping))
}

async fn serve_at_most(
    connections: usize,
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
) {
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    let permits = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD);
    loop {
        let accept = async {
            let permit = Arc::clone(&permits)
                .acquire_owned()
                .await
                .map_err(io::Error::other)?;
            listener
                .accept()
                .await
                .map(|(stream, peer)| (permit, stream, Peer(peer.ip())))
        };
        let (permit, stream, peer) = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: pause instead of spinning.
                    tracing::warn!("A connection could not be accepted: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(Extension(peer).layer(service.clone()));
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that disconnects is not an error of the server.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("Some requests did not end in time and were cut");
    }
}

/// Runs the writing part of a handler in a task of its own: a client that closes the connection drops the handler,
/// and must not stop a transaction half-way.
///
/// # Errors
/// The error of the work.
pub async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(Problem::from(Common::Stopping).retry_after(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    #[tokio::test]
    async fn connections_are_capped_and_at_the_cap_a_server_still_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve_at_most(1, listener, Router::new(), stop.clone()));
        let ask = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(ask).await.unwrap();
        assert_ne!(first.read(&mut [0; 1024]).await.unwrap(), 0);
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(ask).await.unwrap();
        let waited =
            tokio::time::timeout(Duration::from_millis(200), second.read(&mut [0; 1024])).await;
        assert!(waited.is_err(), "it is not its turn");
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(2), server)
            .await
            .expect("it stops")
            .unwrap();
    }
}
