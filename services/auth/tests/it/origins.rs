//! Which pages may call the API from a browser.

use crate::{LOGIN, auth};
use reqwest::{Client, Method, Response, header::HeaderMap};

#[tokio::test]
async fn the_usual_development_servers_may_call_and_no_other_page() {
    let stack = auth().await;
    let url = stack.client.url(LOGIN);
    let ask = async |method: Method, origin: &str| -> Response {
        let request = Client::new().request(method, &url).header("origin", origin);
        let preflight = request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type");
        preflight.send().await.unwrap()
    };
    let text = |headers: &HeaderMap, name: &str| {
        let value = headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    for method in [Method::OPTIONS, Method::POST] {
        for port in [3000, 4200, 5173, 8081] {
            let origin = format!("http://localhost:{port}");
            let response = ask(method.clone(), &origin).await;
            let allowed = text(response.headers(), "access-control-allow-origin");
            assert_eq!(allowed, Some(origin), "{method}");
            if method == Method::POST {
                let exposed = text(response.headers(), "access-control-expose-headers");
                assert!(exposed.is_some_and(|names| names.contains("retry-after")));
            }
        }
        for origin in [
            "http://evil.example",
            "http://localhost",
            "http://localhost:3001",
            "https://localhost:3000",
            "http://localhost:3000.evil.example",
            "null",
        ] {
            let response = ask(method.clone(), origin).await;
            let headers = response.headers();
            assert!(
                !headers.contains_key("access-control-allow-origin"),
                "{method} {origin}"
            );
        }
    }
}
