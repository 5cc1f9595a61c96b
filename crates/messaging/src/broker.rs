//! Connections to RabbitMQ. Every call has a time limit.
//!
//! lapin's own recovery is not used: after an outage of 60 s it took 73 s to come back, and it gives up after 16
//! tries. The owner of a connection drops it at the first error and makes another one.

use crate::{BrokerConfig, ConfigError};
use lapin::{Channel, Connection, ConnectionProperties, uri::AMQPUri};
use std::{error::Error, fmt, future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{interval, timeout},
};

/// The time limit of one call to the broker. After it the connection counts as broken.
pub(crate) const CALL: Duration = Duration::from_secs(10);

/// The time limit of a handshake: lapin does not notice that the peer closes in the middle of it.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// The address of the broker, and the service in whose name this process publishes.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    source: &'static str,
    compat_exchange: Option<String>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broker({})", self.address())
    }
}

impl Broker {
    /// Reads the configuration and connects to nothing. `source` is the service's name, as in `_meta.source`.
    ///
    /// # Errors
    /// Fails when the address is missing, unreadable or malformed.
    pub fn new(config: &BrokerConfig, source: &'static str) -> Result<Self, ConfigError> {
        let mut uri = config.uri()?;
        // The broker's default of 60 s notices a dead peer after 120 s.
        uri.query.heartbeat = Some(5);
        // lapin's buffers are 64 frames: 8 MiB for each connection with the default of 128 KiB.
        uri.query.frame_max = Some(16_384);
        let compat_exchange = config
            .compat_exchange
            .clone()
            .filter(|name| !name.is_empty());
        Ok(Self {
            uri,
            source,
            compat_exchange,
        })
    }

    /// The exchange of the replaced services, when their messages are read too.
    pub(crate) fn compat_exchange(&self) -> Option<&str> {
        self.compat_exchange.as_deref()
    }

    /// The host and the port.
    pub(crate) fn address(&self) -> String {
        let authority = &self.uri.authority;
        format!("{}:{}", authority.host, authority.port)
    }

    pub(crate) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    pub(crate) fn source(&self) -> &'static str {
        self.source
    }

    /// The login at the broker. The broker checks that a message's `user_id` equals it.
    pub(crate) fn login(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// Makes a connection. The management UI shows it under the service's name and its `purpose`.
    pub(crate) async fn connect(&self, purpose: &str) -> Result<Connection, BrokerError> {
        self.probe().await?;
        let name = format!("{} {purpose}", self.source);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        within(
            "connecting",
            HANDSHAKE,
            Connection::connect_uri(self.uri.clone(), properties),
        )
        .await
    }

    /// Checks that an AMQP broker answers. Against a peer that accepts and sends nothing, each try of lapin
    /// would hold a thread and three descriptors until the peer answers.
    async fn probe(&self) -> Result<(), BrokerError> {
        let authority = &self.uri.authority;
        let probe = async {
            let mut stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
            stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
            stream.read_u8().await
        };
        match timeout(Duration::from_secs(2), probe).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(BrokerError::Unreachable(error)),
            Err(_) => Err(BrokerError::Timeout("connecting")),
        }
    }
}

/// Opens a channel.
pub(crate) async fn channel(connection: &Connection) -> Result<Channel, BrokerError> {
    within("opening a channel", CALL, connection.create_channel()).await
}

/// Awaits calls over a connection, or its end. lapin 4.12.3 may leave a call without an answer when the connection ends at
/// a message that it cannot read.
pub(crate) async fn while_open<T>(
    connection: &Connection,
    calls: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    let end = async {
        let mut look = interval(Duration::from_millis(100));
        while connection.status().connected() {
            look.tick().await;
        }
        // The call that the end concerns knows the reason.
        look.tick().await;
    };
    tokio::select! {
        result = calls => result,
        () = end => Err(BrokerError::Closed),
    }
}

/// Gives a call to the broker a time limit. `what` completes the sentence "did not answer in time while …".
pub(crate) async fn within<T>(
    what: &'static str,
    limit: Duration,
    call: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match timeout(limit, call).await {
        Ok(result) => result.map_err(BrokerError::Amqp),
        Err(_) => Err(BrokerError::Timeout(what)),
    }
}

/// Why a connection, a channel or a subscription cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nothing listens at the address.
    #[error("cannot reach RabbitMQ")]
    Unreachable(#[source] std::io::Error),
    /// The broker did not answer within the time limit.
    #[error("RabbitMQ did not answer in time while {0}")]
    Timeout(&'static str),
    /// The broker or the connection to it failed.
    #[error("RabbitMQ failed")]
    Amqp(#[source] lapin::Error),
    /// The crashed queue could not be read.
    #[error("RabbitMQ does not hand over the messages that were set aside")]
    Crashed(#[source] std::io::Error),
    /// The broker did not confirm a message.
    #[error("RabbitMQ did not confirm the event")]
    Nacked,
    /// A queue of this name has other properties, such as that of a service that this system replaces.
    #[error(
        "the queue {0} of another system stands in the way: it has other properties; try: ./medtrack topology replace {0}"
    )]
    InTheWay(&'static str, #[source] lapin::Error),
    /// The subscription ended, as it does when its queue is deleted.
    #[error("the subscription to {0} has ended")]
    Ended(&'static str),
    /// The connection was lost while it was idle.
    #[error("the connection to RabbitMQ is closed")]
    Closed,
    /// The broker counts no consumer on the service's own queue.
    #[error("RabbitMQ counts no consumer on {0}")]
    NoConsumers(&'static str),
    /// The database did not answer for longer than deliveries are held.
    #[error("the database does not answer; the deliveries go back to the queue until it does")]
    DatabaseUnavailable,
}

impl BrokerError {
    /// Whether nothing listens at the address.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, BrokerError::Unreachable(_))
    }

    /// Whether lapin could not read a message, for example a routing key that is not UTF-8. The broker counts
    /// each return of the message, and moves it to the crashed queue after its limit.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, BrokerError::Amqp(error) if matches!(error.kind(), lapin::ErrorKind::ParsingError(_)))
    }

    /// Whether the login lacks the permission. The broker then closes the channel.
    pub fn is_refused(&self) -> bool {
        self.code() == Some(403)
    }

    /// Whether the exchange or the queue does not exist. The broker then closes the channel.
    pub(crate) fn is_missing(&self) -> bool {
        self.code() == Some(404)
    }

    /// The same error, about a queue that was declared.
    pub(crate) fn of_queue(self, name: &'static str) -> Self {
        match self {
            BrokerError::Amqp(error) if code(&error) == Some(406) => {
                BrokerError::InTheWay(name, error)
            }
            error => error,
        }
    }

    /// Whether the broker refused an exchange or a queue, and closed the channel only: no permission (403), missing (404),
    /// in use by one connection (405), other properties (406).
    pub(crate) fn is_of_object(&self) -> bool {
        matches!(self.code(), Some(403..=406))
    }

    /// Whether the broker refused a message for what it is: no permission for its key (403), or a wrong property or
    /// size (406, 311). Another publisher's message may pass over the same link. A missing exchange (404) is not the
    /// message's fault.
    pub(crate) fn is_of_message(&self) -> bool {
        matches!(self.code(), Some(403 | 406 | 311))
    }

    fn code(&self) -> Option<u16> {
        match self {
            BrokerError::Amqp(error) | BrokerError::InTheWay(_, error) => code(error),
            _ => None,
        }
    }
}

/// The reply code with which the broker closed the channel (AMQP 0-9-1, constants).
fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// The error with its causes, for a log line.
pub(crate) fn cause(error: &BrokerError) -> String {
    crate::failure::chain(error as &dyn Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let config = BrokerConfig {
            amqp_url: Some("amqp://admin:hunter22@localhost:5672/%2f".to_owned().into()),
            amqp_url_file: None,
            compat_exchange: None,
        };
        let shown = format!(
            "{config:?} {:?}",
            Broker::new(&config, "auth-service").unwrap()
        );
        assert!(!shown.contains("hunter22"), "{shown}");
    }
}
