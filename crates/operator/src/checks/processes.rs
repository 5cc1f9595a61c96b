//! The processes of the services: each is ready. Those whose internal address is unknown are left out.

use super::Finding;
use crate::{endpoints::Endpoints, http};
use events::topology::SERVICES;
use futures_util::future::join_all;

pub(super) async fn check(endpoints: &Endpoints) -> Vec<Finding> {
    let units = SERVICES.into_iter().flat_map(|service| {
        let short = service.short.to_uppercase();
        [
            (service.name.to_owned(), format!("{short}_INTERNAL_URL")),
            (
                format!("{}-consumer", service.short),
                format!("{short}_CONSUMER_INTERNAL_URL"),
            ),
        ]
    });
    let checks = units.filter_map(|(unit, variable)| {
        let url = format!("{}/health/ready", endpoints.get(&variable).ok()?);
        Some(async move {
            let restart = || endpoints.command_line.restart(&unit);
            match http::get(&url).await {
                Ok(response) if response.status == 200 => Finding::good(format!("{unit} is ready")),
                Ok(response) => {
                    Finding::broken(format!("{unit} is not ready: {}", response.body), restart())
                }
                Err(_) => Finding::broken(format!("{unit} does not run"), restart()),
            }
        })
    });
    join_all(checks).await
}
