//! A message as the broker delivered it, and its id when the body has none.

use crate::EventId;
use uuid::Uuid;

/// A message as the broker delivered it.
#[derive(Clone, Copy, Debug)]
pub struct RawMessage<'a> {
    /// The exchange it was published to.
    pub exchange: &'a str,
    /// Its AMQP routing key.
    pub routing_key: &'a str,
    /// Its AMQP `message_id` property.
    pub message_id: Option<&'a str>,
    /// Its AMQP `app_id` property: the program that published it.
    pub app_id: Option<&'a str>,
    /// Its body.
    pub body: &'a [u8],
}

impl RawMessage<'_> {
    /// Returns the id of a message whose body has none: a digest of everything that was sent, so that an identical copy
    /// has the same id. The AMQP `message_id` alone is no id: some publishers count it from 1 at each start.
    pub fn fallback_id(&self) -> EventId {
        let parts = [
            self.exchange.as_bytes(),
            self.app_id.unwrap_or_default().as_bytes(),
            self.routing_key.as_bytes(),
            self.message_id.unwrap_or_default().as_bytes(),
            self.body,
        ];
        Uuid::new_v5(&Uuid::NAMESPACE_OID, &parts.join(&0)).into()
    }
}
