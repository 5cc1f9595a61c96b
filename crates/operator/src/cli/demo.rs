//! A student and an encadrant register, and each hop is shown with its time.

use super::trace;
use crate::endpoints::{Endpoints, PATIENCE};
use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// What the original document says of its system.
const SEED: &str = "the original system: published after 2–5 ms, profile after 50–100 ms more, notification after \
                    50–100 ms more, 100–200 ms in all";

pub(crate) async fn run(endpoints: &Endpoints) -> anyhow::Result<()> {
    let gateway = endpoints.get("GATEWAY_URL")?;
    let client = reqwest::Client::builder()
        .timeout(PATIENCE * 2)
        .no_proxy()
        .build()?;
    for (who, role) in [("A student", "student"), ("An encadrant", "encadrant")] {
        let email = format!("demo-{}@example.com", Uuid::new_v4().simple());
        let body = json!({"email": email, "password": "SecurePass123!", "first_name": "Demo", "last_name": "User", "role": role});
        let began = Instant::now();
        let response = client
            .post(format!("{gateway}/auth/api/v1/register"))
            .json(&body)
            .send()
            .await;
        let response = response.context("the gateway does not answer; try: ./medtrack doctor")?;
        let (status, registered) = (
            response.status(),
            response.json::<Value>().await.unwrap_or_default(),
        );
        if status != 201 {
            bail!(
                "the registration was refused ({status}): {}; try: ./medtrack doctor",
                registered["detail"]
            );
        }
        say!(
            "{who} registers as {email}: 201 after {} ms, most of it the password's hash.",
            began.elapsed().as_millis()
        );
        let token = registered["access_token"].as_str().unwrap_or_default();
        let inbox = welcome(&client, gateway, token).await?;
        // From here the databases' own clocks: when each row was written.
        trace::run(
            endpoints,
            registered["user"]["id"].as_str().unwrap_or_default(),
            false,
        )
        .await?;
        for notification in inbox.as_array().into_iter().flatten() {
            say!(
                "  {}: {}",
                notification["title"].as_str().unwrap_or_default(),
                notification["content"].as_str().unwrap_or_default()
            );
        }
        say!("");
    }
    say!("({SEED})");
    say!(
        "\ntry: ./medtrack watch, in another terminal, and ./medtrack demo again; ./medtrack stop comm-consumer, ./medtrack demo,"
    );
    say!(
        "     ./medtrack doctor, ./medtrack restart comm-consumer; ./medtrack bench, for times on an idle machine"
    );
    Ok(())
}

/// The inbox, as soon as something is in it.
async fn welcome(client: &reqwest::Client, gateway: &str, token: &str) -> anyhow::Result<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = client
            .get(format!("{gateway}/comm/api/notifications/"))
            .bearer_auth(token)
            .send()
            .await;
        let inbox = asked
            .context("the gateway does not answer; try: ./medtrack doctor")?
            .json::<Value>()
            .await;
        match inbox {
            Ok(inbox) if inbox.as_array().is_some_and(|list| !list.is_empty()) => return Ok(inbox),
            // Somebody has broken something on purpose: the trace tells where it is stuck.
            _ if Instant::now() > until => return Ok(json!([])),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
