//! The consumer: takes deliveries from a queue, settles them, and only then acknowledges them.
//!
//! - [`session`]: one connection, from the subscription to its end
//! - [`held`]: deliveries that are held while the database is slow or locked
//! - [`dispatch`]: a batch of deliveries, together or one by one
//! - [`handle`]: events in one transaction; [`runs`]: their order
//! - [`park`]: an event that was not handled becomes a row with a reason
//! - [`retry`]: parked events that are due
//! - [`losses`]: how the end of a session is logged
//! - [`watchdog`]: what is looked at beside the deliveries
//! - [`crashed`]: messages that the broker has set aside

mod crashed;
mod dispatch;
mod handle;
mod held;
mod losses;
mod park;
mod retry;
mod runs;
mod session;
mod watchdog;

use crate::{Broker, Failure, Handlers, Outbox, Status, broker::cause, failure::chain, inbox};
use dispatch::Dispatcher;
use events::topology::Queue;
use losses::{Line, Losses};
use service_kit::backoff::Backoff;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A session that lasted so long has worked: the next one begins without a pause.
const STABLE: Duration = Duration::from_secs(5);

/// The time limits of a consumer.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long one attempt to handle or to park events may take. After it the connection to the database is dropped:
    /// a connection that was lost silently never answers.
    pub attempt: Duration,
    /// How long deliveries are held while the database does not answer, when no other consumer could take them.
    pub hold: Duration,
    /// The same, when another consumer is subscribed to the queue.
    pub hold_beside_others: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(20),
            hold: Duration::from_secs(60),
            hold_beside_others: Duration::from_secs(5),
        }
    }
}

/// Consumes one queue with the service's handlers, and retries its parked events.
pub struct Consumer {
    broker: Broker,
    dispatcher: Dispatcher,
    limits: Limits,
    status: Status,
}

impl Consumer {
    /// Makes a consumer of `queue`. It begins with [`Consumer::run`].
    pub fn new(broker: Broker, outbox: Outbox, queue: &'static Queue, handlers: Handlers) -> Self {
        let limits = Limits::default();
        Self {
            broker,
            dispatcher: Dispatcher {
                queue,
                outbox,
                handlers,
                limit: limits.attempt,
                room: Arc::default(),
            },
            limits,
            status: Status::starting(),
        }
    }

    /// Sets other time limits than the default ones.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self.dispatcher.limit = limits.attempt;
        self
    }

    /// Whether the consumer receives the messages of its queue.
    pub fn status(&self) -> Status {
        self.status.clone()
    }

    /// Runs until `stop`, then settles the batch in hand and ends. It waits, without a limit, for a broker or a database
    /// that does not answer.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.consume(&stop), self.retry_parked(&stop));
    }

    async fn consume(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        let mut declare = true;
        let mut losses = Losses::new();
        while !stop.is_cancelled() {
            backoff.wait(stop).await;
            if stop.is_cancelled() || !self.database_answers(stop).await {
                return;
            }
            let began = Instant::now();
            let Err(error) = Box::pin(self.session(declare, &mut losses, stop)).await else {
                return;
            };
            let cause = cause(&error);
            self.status.unhealthy(cause.clone());
            match losses.line(&error) {
                Line::Waiting => {
                    tracing::info!("Waiting for RabbitMQ at {}", self.broker.address());
                }
                Line::Lost => tracing::warn!(
                    "Lost the subscription to {} on RabbitMQ: {cause}",
                    self.dispatcher.queue.name
                ),
                Line::None => {}
            }
            // A message that lapin cannot read comes again at once, until the broker sets it aside.
            declare = !error.is_unreadable();
            if error.is_unreadable() || began.elapsed() > STABLE {
                backoff.reset();
            }
        }
    }

    /// Waits until the database takes a write, because deliveries that cannot be settled would only be returned, and
    /// each return counts against them. False when the process stops first.
    async fn database_answers(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let response = tokio::select! {
                () = stop.cancelled() => return false,
                response = self.dispatcher.prove_write() => response,
            };
            match response {
                Ok(()) => return true,
                Err(failure) => {
                    let cause = format!("the database takes no write: {}", chain(&failure));
                    tracing::warn!("Not subscribing to {}: {cause}", self.dispatcher.queue.name);
                    self.status.unhealthy(cause);
                }
            }
            backoff.wait(stop).await;
        }
    }
}

impl Dispatcher {
    /// Writes a row and undoes it: a database that is read-only or full answers, and takes no write.
    async fn prove_write(&self) -> Result<(), Failure> {
        self.limited(async {
            let mut transaction = self.outbox.begin().await?;
            inbox::probe(&mut transaction).await?;
            Ok(transaction.rollback().await?)
        })
        .await
    }
}

/// The database does not answer: no event can be settled, and none is at fault.
#[derive(Debug, thiserror::Error)]
#[error("the database does not answer")]
struct DatabaseUnavailable(#[source] Failure);

impl DatabaseUnavailable {
    fn cause(&self) -> String {
        chain(&self.0)
    }
}

/// Why a message is not parked.
#[derive(Debug, thiserror::Error)]
enum NotParked {
    #[error(transparent)]
    Unavailable(#[from] DatabaseUnavailable),
    /// The database works and refuses the row, also without the body. The message must not hold up its queue.
    #[error("the database refuses its row")]
    Refused,
}
