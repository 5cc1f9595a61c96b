//! A copy of what passes on the bus.

use crate::{broker, endpoints::Endpoints};
use anyhow::Context as _;

/// Calls `on_message` with the routing key and the body of every message that the patterns select; no pattern
/// selects all. Returns only when the connection is lost.
pub(crate) async fn listen(
    endpoints: &Endpoints,
    patterns: &[String],
    on_message: impl FnMut(&str, &[u8]),
) -> anyhow::Result<()> {
    let broker = broker::of(endpoints)?;
    let lost = messaging::admin::watch(&broker, patterns, on_message).await;
    lost.with_context(|| format!("RabbitMQ does not answer; {}", endpoints.advice("doctor")))
}
