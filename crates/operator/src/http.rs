//! HTTP requests to parts of the stack.

use crate::endpoints::PATIENCE;
use anyhow::Context as _;
use std::time::Duration;

/// What a part answered.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Returns a client that gives up after `timeout`. It follows no redirect: one from the gateway leads to TLS, which
/// this client does not speak.
pub(crate) fn client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// Gets a document without a login.
pub(crate) async fn get(url: &str) -> anyhow::Result<Response> {
    let response = client(PATIENCE)?.get(url).send().await;
    let response = response.context("no answer")?;
    Ok(Response {
        status: response.status().as_u16(),
        body: response.text().await?,
    })
}
