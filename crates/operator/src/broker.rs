//! The connection to RabbitMQ, with the operator's login.

use crate::endpoints::Endpoints;
use messaging::{Broker, BrokerConfig};

/// Returns the broker at `AMQP_URL`.
pub(crate) fn of(endpoints: &Endpoints) -> anyhow::Result<Broker> {
    let config = BrokerConfig {
        amqp_url: Some(endpoints.get("AMQP_URL")?.to_owned().into()),
        amqp_url_file: None,
        compat_exchange: std::env::var("COMPAT_EXCHANGE").ok(),
    };
    Ok(Broker::new(&config, "medtrack")?)
}
