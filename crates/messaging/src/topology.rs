//! The exchange and the queues, as the broker must have them.
//!
//! Every process declares all of [`events::topology`] whenever it connects. A declaration is idempotent, and an event
//! that is published before a consumer's first start is kept for it. A process needs the exchange, and its own queue if
//! it consumes one: what the broker refuses of the other queues stops only the services that they belong to.

mod definitions;

pub use definitions::definitions;

use crate::broker::{self, Broker, BrokerError, CALL, cause, within};
use definitions::{arguments, crashed_arguments, table};
use events::{
    legacy::{self, OLD_EXCHANGE},
    topology::{EXCHANGE, Queue, queues},
};
use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions},
    types::FieldTable,
};

/// Declares everything on `broker`.
///
/// # Errors
/// Fails when the broker does not answer, when the login may not declare, or when a queue of the same name has other
/// properties; what comes after that queue is declared all the same.
pub async fn apply(broker: &Broker) -> Result<(), BrokerError> {
    let connection = broker.connect("topology").await?;
    let mut declarer = Declarer::open(&connection).await?;
    declare_exchange(&declarer.channel, EXCHANGE, false).await?;
    let mut refused = None;
    for queue in queues() {
        let declared = async {
            declarer.declare(queue).await?;
            declarer.bind_old(queue, broker).await
        };
        if let Err(error) = declared.await {
            refused = Some(declarer.go_on(error).await?);
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Declares what a process needs, and the other queues as far as possible. `own` is the queue that the process consumes.
/// With a login that may not declare, it looks at the exchange only: the subscription tells whether `own` is there.
pub(crate) async fn ensure(
    connection: &Connection,
    broker: &Broker,
    own: Option<&Queue>,
) -> Result<(), BrokerError> {
    let mut declarer = Declarer::open(connection).await?;
    match declare_exchange(&declarer.channel, EXCHANGE, false).await {
        Err(error) if error.is_refused() => return look_at_exchange(connection).await,
        declared => declared?,
    }
    for queue in queues() {
        let is_own = own.is_some_and(|own| own.name == queue.name);
        if let Err(error) = declarer.declare(queue).await {
            let error = declarer.go_on(error).await?;
            if is_own && !error.is_refused() {
                return Err(error);
            }
            tracing::warn!("Cannot declare {}: {}", queue.name, cause(&error));
        } else if is_own && let Err(error) = declarer.bind_old(queue, broker).await {
            let error = declarer.go_on(error).await?;
            tracing::warn!(
                "{} does not receive the messages of the replaced services: {}",
                queue.name,
                cause(&error)
            );
        }
    }
    Ok(())
}

/// RabbitMQ 4.2.6 and 4.3.0 let a login look only at what it may configure, which is nothing in production. The broker
/// then tells of a missing exchange when an event is published.
async fn look_at_exchange(connection: &Connection) -> Result<(), BrokerError> {
    match declare_exchange(&broker::channel(connection).await?, EXCHANGE, true).await {
        Err(error) if !error.is_refused() => return Err(error),
        _ => {}
    }
    tracing::info!("RabbitMQ login may not declare: the queues and their bindings are not checked");
    Ok(())
}

/// Declares over a channel that is opened again when the broker refuses something and closes it.
struct Declarer<'a> {
    connection: &'a Connection,
    channel: Channel,
}

impl<'a> Declarer<'a> {
    async fn open(connection: &'a Connection) -> Result<Self, BrokerError> {
        Ok(Self {
            connection,
            channel: broker::channel(connection).await?,
        })
    }

    /// Opens a channel after an error that concerns one object. Returns that error; fails with any other.
    async fn go_on(&mut self, error: BrokerError) -> Result<BrokerError, BrokerError> {
        if !error.is_of_object() {
            return Err(error);
        }
        self.channel = broker::channel(self.connection).await?;
        Ok(error)
    }

    /// Declares a queue with its crashed queue and its bindings. A crashed queue that cannot be declared does not matter
    /// to the queue itself.
    async fn declare(&mut self, queue: &Queue) -> Result<(), BrokerError> {
        let declared =
            declare_queue(&self.channel, queue.crashed, table(&crashed_arguments())).await;
        if let Err(error) = declared {
            let error = self.go_on(error).await?;
            tracing::warn!("Cannot declare {}: {}", queue.crashed, cause(&error));
        }
        declare_queue(&self.channel, queue.name, table(&arguments(queue))).await?;
        bind_all(&self.channel, queue).await
    }

    /// Binds a queue to the exchange of the services that this system replaces, when it is configured. Else it takes the
    /// bindings away that an earlier configuration has left.
    async fn bind_old(&mut self, queue: &Queue, broker: &Broker) -> Result<(), BrokerError> {
        let configured = broker.compat_exchange();
        if configured != Some(OLD_EXCHANGE)
            && let Err(error) = unbind_old(&self.channel, queue, OLD_EXCHANGE).await
        {
            // The exchange is missing, or the login may not.
            self.go_on(error).await?;
        }
        let Some(old) = configured else {
            return Ok(());
        };
        if let Err(error) = declare_exchange(&self.channel, old, false).await {
            let error = self.go_on(error).await?;
            tracing::warn!("The exchange {old} is used as it is: {}", cause(&error));
        }
        for key in legacy::keys(queue) {
            bind(&self.channel, queue, old, key).await?;
        }
        Ok(())
    }
}

/// Takes away the bindings of a queue to an exchange of the services that this system replaces. Those that do not exist
/// do not matter.
async fn unbind_old(channel: &Channel, queue: &Queue, exchange: &str) -> Result<(), BrokerError> {
    for key in legacy::keys(queue) {
        let arguments = FieldTable::default();
        let unbind =
            channel.queue_unbind(queue.name.into(), exchange.into(), key.into(), arguments);
        within("unbinding a queue", CALL, unbind).await?;
    }
    Ok(())
}

/// Takes away the bindings of all queues to an exchange of the services that this system replaces.
///
/// # Errors
/// Fails when the broker does not answer, when the login may not unbind, or when the exchange is missing.
pub async fn unbind(broker: &Broker, exchange: &str) -> Result<(), BrokerError> {
    let connection = broker.connect("topology").await?;
    let channel = broker::channel(&connection).await?;
    for queue in queues() {
        unbind_old(&channel, queue, exchange).await?;
    }
    Ok(())
}

/// Returns how many messages of a queue wait for a consumer, as the broker knows it now: its management counts them some
/// seconds later. `None` where the login may not look at it, or there is no such queue.
///
/// # Errors
/// Fails when the broker does not answer.
pub async fn waiting_messages(broker: &Broker, queue: &str) -> Result<Option<u64>, BrokerError> {
    let connection = broker.connect("topology").await?;
    let channel = broker::channel(&connection).await?;
    Ok(match look(&channel, queue).await? {
        Sight::Seen(depth) => Some(depth.ready.into()),
        Sight::Missing | Sight::Refused => None,
    })
}

/// Deletes a queue with its messages.
///
/// # Errors
/// Fails when the broker does not answer, or when the login may not delete it.
pub async fn delete(broker: &Broker, queue: &str) -> Result<(), BrokerError> {
    let connection = broker.connect("topology").await?;
    let channel = broker::channel(&connection).await?;
    let delete = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
    within("deleting a queue", CALL, delete).await.map(drop)
}

/// Binds a queue with all its patterns, also where it is bound already: the broker does not tell. Returns false when the
/// login may not bind it.
pub(crate) async fn bind_again(
    connection: &Connection,
    queue: &Queue,
) -> Result<bool, BrokerError> {
    // A refusal closes the channel.
    let channel = broker::channel(connection).await?;
    match bind_all(&channel, queue).await {
        Ok(()) => {
            let close = channel.close(200, "done".into());
            within("closing a channel", CALL, close).await?;
            Ok(true)
        }
        Err(error) if error.is_refused() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn bind_all(channel: &Channel, queue: &Queue) -> Result<(), BrokerError> {
    for pattern in queue.patterns {
        bind(channel, queue, EXCHANGE, pattern).await?;
    }
    Ok(())
}

async fn bind(
    channel: &Channel,
    queue: &Queue,
    exchange: &str,
    pattern: &str,
) -> Result<(), BrokerError> {
    let bind = channel.queue_bind(
        queue.name.into(),
        exchange.into(),
        pattern.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    within("binding a queue", CALL, bind).await
}

/// No arguments: a foreign publisher that declares the exchange plainly must not be refused.
async fn declare_exchange(channel: &Channel, name: &str, passive: bool) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions {
        passive,
        durable: true,
        ..Default::default()
    };
    let declare = channel.exchange_declare(
        name.into(),
        ExchangeKind::Topic,
        options,
        FieldTable::default(),
    );
    within("declaring the exchange", CALL, declare).await
}

async fn declare_queue(
    channel: &Channel,
    name: &'static str,
    arguments: FieldTable,
) -> Result<(), BrokerError> {
    let durable = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let declare = channel.queue_declare(name.into(), durable, arguments);
    let declared = within("declaring a queue", CALL, declare).await;
    declared.map(drop).map_err(|error| error.of_queue(name))
}

/// The state of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Messages that no consumer has received yet.
    pub ready: u32,
    /// Consumers that are subscribed.
    pub consumers: u32,
}

/// What a look at a queue shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    Seen(Depth),
    Missing,
    /// The login may not look at it.
    Refused,
}

/// Counts the messages and the consumers of a queue. The broker closes the channel of a look that shows nothing.
pub(crate) async fn look(channel: &Channel, name: &str) -> Result<Sight, BrokerError> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let declare = channel.queue_declare(name.into(), passive, FieldTable::default());
    match within("looking at a queue", CALL, declare).await {
        Ok(queue) => Ok(Sight::Seen(Depth {
            ready: queue.message_count(),
            consumers: queue.consumer_count(),
        })),
        Err(error) if error.is_missing() => Ok(Sight::Missing),
        Err(error) if error.is_refused() => Ok(Sight::Refused),
        Err(error) => Err(error),
    }
}
