//! The gateway: it answers, and it reaches auth-service.

use super::Finding;
use crate::{endpoints::Endpoints, http};

pub(super) async fn check(endpoints: &Endpoints) -> Option<Finding> {
    let url = endpoints.get("GATEWAY_URL").ok()?;
    let restart = |unit| endpoints.command_line.restart(unit);
    Some(
        match http::get(&format!("{url}/auth/.well-known/jwks.json")).await {
            // In production the plain port only leads to TLS.
            Ok(response) if response.status == 200 || response.status == 308 => {
                Finding::good(format!("the gateway answers at {url}"))
            }
            Ok(response) => Finding::broken(
                format!("the gateway answers {}", response.status),
                restart("auth-service"),
            ),
            Err(_) => Finding::broken(
                format!("the gateway does not answer at {url}"),
                restart("gateway"),
            ),
        },
    )
}
