//! The client of a request: its address, and what a session keeps of it.

use crate::store::audit::Detail;
use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use serde_json::{Value, json};
use service_kit::http::ClientAddress;
use std::{convert::Infallible, net::IpAddr};

/// The client of a request.
pub(super) struct Client {
    /// By which tries to log in are counted.
    pub address: IpAddr,
    /// What it seems to be, for people.
    pub device: String,
    /// For the list of sessions.
    pub info: Value,
    /// The header `User-Agent`.
    agent: String,
}

impl Client {
    /// For the audit log.
    pub(super) fn detail(&self) -> Detail {
        Detail {
            email: None,
            address: Some(self.address),
            device: Some(self.agent.clone()).filter(|agent| !agent.is_empty()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.and_then(|value| value.to_str().ok());
        let agent: String = agent.unwrap_or_default().chars().take(256).collect();
        let device = device(&agent);
        let info = json!({"device": device, "ip": address, "user_agent": agent});
        Ok(Self {
            address,
            device,
            info,
            agent,
        })
    }
}

/// A few words for people about the program and the system of a client: `Firefox on Windows`.
fn device(agent: &str) -> String {
    // The first that fits: Edge calls itself Chrome, too, and Chrome calls itself Safari.
    let first = |names: &[(&'static str, &'static str)]| {
        let known = names.iter().find(|(part, _)| agent.contains(part));
        known.map(|(_, name)| *name)
    };
    let program = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => agent
            .split(['/', ' '])
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_by_its_program_and_its_system() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36 Edg/120",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17 Mobile Safari/604",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Firefox/120.0",
                "Firefox on Linux",
            ),
            ("curl/8.5.0", "curl"),
            ("", ""),
        ] {
            assert_eq!(device(agent), name);
        }
    }
}
