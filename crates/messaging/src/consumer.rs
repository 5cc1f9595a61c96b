//! The consumer: takes deliveries from a queue, settles them, and only then acknowledges them.
//!
//! - [`session`]: one connection, from the subscription to its end
//! - [`dispatch`]: a batch of deliveries in one transaction
//! - [`park`]: an event that was not handled becomes a row with a reason
//! - [`retry`]: parked events that are due
//! - [`crashed`]: messages that the broker has set aside

mod crashed;
mod dispatch;
mod park;
mod retry;
mod session;

use crate::{Broker, Failure, Handlers, Outbox, Status, broker::cause, failure::chain};
use dispatch::Dispatcher;
use events::topology::Queue;
use service_kit::backoff::Backoff;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A session that lasted so long has worked: the next one begins without a pause.
const STABLE: Duration = Duration::from_secs(5);

/// Consumes one queue with the service's handlers, and retries its parked events.
pub struct Consumer {
    broker: Broker,
    dispatcher: Dispatcher,
    status: Status,
}

impl Consumer {
    /// Makes a consumer of `queue`. It begins with [`Consumer::run`].
    pub fn new(broker: Broker, outbox: Outbox, queue: &'static Queue, handlers: Handlers) -> Self {
        Self {
            broker,
            dispatcher: Dispatcher {
                queue,
                outbox,
                handlers,
            },
            status: Status::starting(),
        }
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
        while !stop.is_cancelled() {
            backoff.wait(stop).await;
            if stop.is_cancelled() || !self.database_answers(stop).await {
                return;
            }
            let began = Instant::now();
            let Err(error) = self.session(declare, stop).await else {
                return;
            };
            let cause = cause(&error);
            self.status.unhealthy(cause.clone());
            tracing::warn!(
                "Lost the subscription to {} on RabbitMQ: {cause}",
                self.dispatcher.queue.name
            );
            // A message that lapin cannot read comes again at once, until the broker sets it aside.
            declare = !error.is_unreadable();
            if error.is_unreadable() || began.elapsed() > STABLE {
                backoff.reset();
            }
        }
    }

    /// Waits until the database answers, because deliveries that cannot be settled would only be returned. False
    /// when the process stops first.
    async fn database_answers(&self, stop: &CancellationToken) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let response = tokio::select! {
                () = stop.cancelled() => return false,
                response = self.dispatcher.outbox.pool().acquire() => response,
            };
            match response {
                Ok(_) => return true,
                Err(error) => {
                    let cause = format!("the database does not answer: {error}");
                    tracing::warn!("Not subscribing to {}: {cause}", self.dispatcher.queue.name);
                    self.status.unhealthy(cause);
                }
            }
            backoff.wait(stop).await;
        }
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

impl From<sqlx::Error> for DatabaseUnavailable {
    fn from(error: sqlx::Error) -> Self {
        Self(Failure::Database(error))
    }
}
