//! RabbitMQ, as the person at the terminal.

use super::places::Places;
use messaging::{Broker, BrokerConfig};

/// The broker of AMQP_URL.
pub(super) fn of(places: &Places) -> anyhow::Result<Broker> {
    let config = BrokerConfig {
        amqp_url: Some(places.get("AMQP_URL")?.to_owned().into()),
        amqp_url_file: None,
        compat_exchange: std::env::var("COMPAT_EXCHANGE").ok(),
    };
    Ok(Broker::new(&config, "medtrack")?)
}
