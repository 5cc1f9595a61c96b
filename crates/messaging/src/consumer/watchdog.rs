//! What a consumer looks at beside its deliveries, once a second.

use super::Consumer;
use crate::{
    broker::{self, BrokerError},
    topology::{self, Sight},
};
use lapin::{Channel, Connection};
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const TICK: Duration = Duration::from_secs(1);
/// The queue is bound again, and its consumers are counted, at every so many ticks of the watchdog.
const QUEUE_CHECK: u32 = 10;
/// For so many ticks the crashed queue is left alone after it could not be read, or could not be looked at.
const CRASHED_PAUSE: u32 = 30;

/// After so many ticks without a delivery the subscription is replaced.
const SILENCE: u32 = 10;

impl Consumer {
    /// Looks after the queue: moves crashed messages to the parked events, and from time to time binds the queue again
    /// and checks that the broker counts a consumer.
    pub(super) async fn check(
        &self,
        connection: &Connection,
        watchdog: &mut Watchdog,
    ) -> Result<(), BrokerError> {
        let queue = self.dispatcher.queue;
        if !watchdog.is_paused() {
            match watchdog.look(connection, queue.crashed).await? {
                Sight::Seen(depth) if depth.ready == 0 => {}
                Sight::Seen(_) => self.try_drain(watchdog).await,
                Sight::Refused => {
                    // The login may read it, so the consumer tries from time to time.
                    self.try_drain(watchdog).await;
                    watchdog.pause();
                }
                Sight::Missing => {
                    tracing::warn!(
                        "{} is missing; where the login may, it is declared again, else try: ./medtrack topology apply",
                        queue.crashed
                    );
                    topology::ensure(connection, &self.broker, Some(queue)).await?;
                    watchdog.pause();
                }
            }
        }
        if !watchdog.ticks.is_multiple_of(QUEUE_CHECK) {
            return Ok(());
        }
        if watchdog.may_bind {
            watchdog.may_bind = topology::bind_again(connection, queue).await?;
            if !watchdog.may_bind {
                tracing::warn!(
                    "RabbitMQ login may not bind {}: a binding that is removed stays so; try: ./medtrack secrets DIR --add",
                    queue.name
                );
            }
        }
        match watchdog.look(connection, queue.name).await? {
            Sight::Seen(depth) if depth.consumers == 0 => Err(BrokerError::NoConsumers(queue.name)),
            Sight::Missing => Err(BrokerError::Ended(queue.name)),
            Sight::Seen(_) | Sight::Refused => Ok(()),
        }
    }

    async fn try_drain(&self, watchdog: &mut Watchdog) {
        if let Err(error) = self.drain_crashed().await {
            let cause = broker::cause(&error);
            tracing::error!(
                "Cannot move the messages of {} to the parked events: {cause}; they stay there, next try in 30 s",
                self.dispatcher.queue.crashed
            );
            watchdog.pause();
        }
    }
}

/// Ticks once a second, also while deliveries arrive without a pause.
pub(super) struct Watchdog {
    interval: Interval,
    ticks: u32,
    paused_until: u32,
    last_delivery: u32,
    /// The channel to look over; the broker closes it when there is nothing to see.
    channel: Option<Channel>,
    /// The login may not look at queues: RabbitMQ 4.2.6 and 4.3.0 let it look only at what it may configure.
    is_blind: bool,
    /// The login may bind the queue, as far as is known.
    may_bind: bool,
}

impl Watchdog {
    pub(super) fn new() -> Self {
        // Not at once: a connection that ends at an unreadable message is followed by the next one without a pause.
        let mut interval = interval_at(Instant::now() + TICK, TICK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            ticks: 0,
            paused_until: 0,
            last_delivery: 0,
            channel: None,
            is_blind: false,
            may_bind: true,
        }
    }

    pub(super) async fn tick(&mut self) {
        self.interval.tick().await;
        self.ticks = self.ticks.wrapping_add(1);
    }

    async fn look(&mut self, connection: &Connection, queue: &str) -> Result<Sight, BrokerError> {
        if self.is_blind {
            return Ok(Sight::Refused);
        }
        let channel = self.channel.take();
        let (channel, sight) = broker::while_open(connection, async {
            let channel = match channel {
                Some(channel) if channel.status().connected() => channel,
                _ => broker::channel(connection).await?,
            };
            let sight = topology::look(&channel, queue).await?;
            Ok((channel, sight))
        })
        .await?;
        self.is_blind = sight == Sight::Refused;
        self.channel = Some(channel);
        Ok(sight)
    }

    /// Notes that deliveries have come.
    pub(super) fn heard(&mut self) {
        self.last_delivery = self.ticks;
    }

    /// Whether no delivery has come for a while.
    pub(super) fn is_silent(&self) -> bool {
        self.ticks.wrapping_sub(self.last_delivery) >= SILENCE
    }

    /// Leaves the crashed queue alone for a while.
    fn pause(&mut self) {
        self.paused_until = self.ticks.wrapping_add(CRASHED_PAUSE);
    }

    fn is_paused(&self) -> bool {
        self.ticks < self.paused_until
    }
}
