//! The connection to RabbitMQ: made fresh each time, bounded in time, never repaired.
//!
//! lapin's own recovery is not used. After a 60 s outage it took 73 s to come back, and it gives up after 16
//! tries; whoever holds a connection here drops it at the first error and asks for another.

use crate::{BrokerConfig, ConfigError};
use lapin::{Channel, Connection, ConnectionProperties, uri::AMQPUri};
use rand::RngExt as _;
use std::{error::Error, fmt, future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How long one call to the broker may take before its connection counts as broken.
pub(crate) const CALL: Duration = Duration::from_secs(10);

/// How long a handshake may take; lapin does not notice when the peer closes in the middle of it.
const HANDSHAKE: Duration = Duration::from_secs(3);

/// Where the broker is, and in whose name events are published.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    source: &'static str,
    compat_exchange: Option<String>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Broker({}:{})",
            self.uri.authority.host, self.uri.authority.port
        )
    }
}

impl Broker {
    /// Reads the configuration; connects to nothing yet. `source` is the service's name, as `_meta.source`
    /// has it.
    ///
    /// # Errors
    /// When the address is missing, unreadable or malformed.
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

    /// The exchange of the services that are being replaced, where their messages are to be read.
    pub(crate) fn compat_exchange(&self) -> Option<&str> {
        self.compat_exchange.as_deref()
    }

    pub(crate) fn source(&self) -> &'static str {
        self.source
    }

    /// The broker login; the broker checks that a message's `user_id` equals it.
    pub(crate) fn login(&self) -> &str {
        &self.uri.authority.userinfo.username
    }

    /// Makes a connection, named after the service and its `purpose` in the management UI.
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

    /// Finds out whether an AMQP broker answers. A peer that accepts and then says nothing costs lapin a
    /// thread and three descriptors for each try, until it answers.
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

/// Bounds a call to the broker in time.
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

/// A connection, a channel or a subscription is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nothing listens there.
    #[error("cannot reach RabbitMQ")]
    Unreachable(#[source] std::io::Error),
    /// The broker took too long.
    #[error("RabbitMQ did not answer in time while {0}")]
    Timeout(&'static str),
    /// The broker or the connection to it failed.
    #[error("RabbitMQ failed")]
    Amqp(#[source] lapin::Error),
    /// The broker refused to take responsibility for a message.
    #[error("RabbitMQ did not take the event")]
    Nacked,
    /// The subscription ended, as it does when its queue is deleted.
    #[error("the subscription to {0} has ended")]
    Ended(&'static str),
    /// The connection was lost while nothing was being sent.
    #[error("the connection to RabbitMQ is closed")]
    Closed,
    /// Readiness counted no consumer on our own queue.
    #[error("no consumer is left on {0}")]
    NoConsumers(&'static str),
    /// The database stayed away for too long to hold deliveries any longer.
    #[error("the database is away; deliveries go back to the queue until it answers")]
    DatabaseUnavailable,
}

impl BrokerError {
    /// Whether lapin could not read what the broker sent: a routing key that is not UTF-8, for example. The
    /// broker counts the return; after its limit the message is set aside, and the next one comes.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, BrokerError::Amqp(error) if matches!(error.kind(), lapin::ErrorKind::ParsingError(_)))
    }

    /// Whether the broker refused for want of permission, which closes the channel.
    pub(crate) fn is_refused(&self) -> bool {
        const ACCESS_REFUSED: u16 = 403;
        match self {
            BrokerError::Amqp(error) => match error.kind() {
                lapin::ErrorKind::ProtocolError(error) => error.get_id() == ACCESS_REFUSED,
                _ => false,
            },
            _ => false,
        }
    }
}

/// The error with its causes, for a log line.
pub(crate) fn cause(error: &BrokerError) -> String {
    crate::failure::chain(error as &dyn Error)
}

/// The pause between two tries: none before the first, then 0.2 s doubling to 2 s, with jitter, for ever.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// Waits before the next try, or until told to stop.
    pub(crate) async fn wait(&mut self, stop: &CancellationToken) {
        let pause = self.next();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn next(&mut self) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        match tries {
            0 => Duration::ZERO,
            tries => Duration::from_millis(200 << (tries - 1).min(4))
                .min(Duration::from_secs(2))
                .mul_f64(rand::rng().random_range(0.8..=1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_is_at_once_and_the_pause_never_passes_two_seconds() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), Duration::ZERO);
        let pauses: Vec<_> = (0..40).map(|_| backoff.next()).collect();
        assert!(pauses[0] >= Duration::from_millis(160) && pauses[0] <= Duration::from_millis(200));
        assert!(
            pauses[10..]
                .iter()
                .all(|p| *p >= Duration::from_millis(1600) && *p <= Duration::from_secs(2))
        );
        backoff.reset();
        assert_eq!(backoff.next(), Duration::ZERO);
    }

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
