//! The gateway: it answers, and it reaches auth-service.

use super::{
    finding::{Finding, Id},
    probe::{self, Answer},
};
use crate::endpoints::Endpoints;
use events::topology::AUTH;

pub(super) async fn check(endpoints: &Endpoints) -> Option<Finding> {
    let url = endpoints.get("GATEWAY_URL").ok()?;
    let restart = |unit| endpoints.command_line.restart(unit);
    let finding = match probe::get(&format!("{url}/auth/.well-known/jwks.json")).await {
        // In production the plain port only leads to TLS.
        Answer::Response(response) if response.status == 200 || response.status == 308 => {
            Finding::good(Id::Gateway, format!("the gateway answers at {url}"))
        }
        Answer::Response(response) => {
            let what = format!(
                "the gateway answers, and does not reach auth-service (status {})",
                response.status
            );
            Finding::broken(Id::GatewayError, what)
                .of(&AUTH)
                .figure("status", response.status.into())
                .try_(restart(AUTH.name))
        }
        Answer::Refused => {
            let how = endpoints.how_it_ended("gateway");
            let what = format!("the gateway {how}; no user reaches the system");
            Finding::broken(Id::GatewayUnreachable, what).try_(restart("gateway"))
        }
        Answer::Nothing => match probe::get(&format!("{url}/nothing")).await {
            Answer::Response(_) => Finding::broken(
                Id::GatewayError,
                "the gateway answers, and auth-service behind it does not",
            )
            .of(&AUTH)
            .try_(restart(AUTH.name)),
            _ => Finding::broken(
                Id::GatewayUnresponsive,
                format!("the gateway {}", endpoints.how_it_hangs("gateway")),
            )
            .try_(restart("gateway")),
        },
    };
    Some(finding.unit("gateway"))
}
