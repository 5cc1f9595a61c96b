//! A registration and what follows from it, for showing that the system works.

use crate::{
    endpoints::{Endpoints, PATIENCE},
    http,
};
use anyhow::{Context as _, bail};
use events::Role;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A user who has just registered.
pub(crate) struct Registration {
    pub(crate) email: String,
    pub(crate) user_id: String,
    pub(crate) access_token: String,
    /// How long the registration took.
    pub(crate) duration: Duration,
}

/// A notification, as its user reads it.
#[derive(Deserialize)]
pub(crate) struct Notification {
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) content: String,
}

/// Registers a user whose address is new.
pub(crate) async fn register(endpoints: &Endpoints, role: Role) -> anyhow::Result<Registration> {
    let gateway = endpoints.get("GATEWAY_URL")?;
    let email = format!("demo-{}@example.com", Uuid::new_v4().simple());
    let body = json!({"email": email, "password": "SecurePass123! for a demo", "first_name": "Demo", "last_name": "User",
                      "role": role});
    let client = http::client(PATIENCE * 2)?;
    let began = Instant::now();
    let request = client.post(format!("{gateway}/auth/api/v1/register"));
    let response = request.json(&body).send().await;
    let response = response.with_context(|| no_answer(endpoints))?;
    let duration = began.elapsed();
    let status = response.status();
    let user = response.json::<Value>().await.unwrap_or_default();
    if status != 201 {
        bail!(
            "the registration was refused ({status}): {}; {}",
            user["detail"],
            endpoints.advice("doctor")
        );
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(Registration {
        email,
        user_id: text(&user["user"]["id"]),
        access_token: text(&user["access_token"]),
        duration,
    })
}

/// Returns a user's inbox as soon as it has a notification. The inbox is empty when none arrives in time.
pub(crate) async fn inbox(
    endpoints: &Endpoints,
    access_token: &str,
) -> anyhow::Result<Vec<Notification>> {
    let url = format!("{}/comm/api/notifications/", endpoints.get("GATEWAY_URL")?);
    let client = http::client(PATIENCE * 2)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let response = client.get(&url).bearer_auth(access_token).send().await;
        let response = response.with_context(|| no_answer(endpoints))?;
        match response.json::<Vec<Notification>>().await {
            Ok(inbox) if !inbox.is_empty() => return Ok(inbox),
            _ if Instant::now() > deadline => return Ok(Vec::new()),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

fn no_answer(endpoints: &Endpoints) -> String {
    format!(
        "the gateway does not answer; {}",
        endpoints.advice("doctor")
    )
}
