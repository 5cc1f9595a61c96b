//! The connection to RabbitMQ, with the operator's login.

use crate::endpoints::Endpoints;
use messaging::{Broker, BrokerConfig};

/// Returns the broker at `AMQP_URL`.
pub(crate) fn of(endpoints: &Endpoints) -> anyhow::Result<Broker> {
    let config = BrokerConfig {
        amqp_url: Some(endpoints.get("AMQP_URL")?.to_owned().into()),
        amqp_url_file: None,
        compat_exchange: compat_exchange(),
    };
    Ok(Broker::new(&config, "medtrack")?)
}

/// The exchange of the replaced services whose messages are read too.
pub(crate) fn compat_exchange() -> Option<String> {
    let name = std::env::var("COMPAT_EXCHANGE").ok();
    name.filter(|name| !name.is_empty())
}
