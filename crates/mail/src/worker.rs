//! The task that sends the mails that are due. Each process that serves requests runs one; leases keep them apart.

mod delivery;

use crate::{
    config::MailConfig,
    content::Link,
    purge,
    store::{self, Claim, Leased, Outcome},
    transport::{Limits, Transport},
};
use futures_util::future::BoxFuture;
use lettre::message::Mailbox;
use secrecy::SecretString;
use service_kit::{backoff::Backoff, metrics::finished};
use sqlx::{PgConnection, PgPool};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How many mails a worker sends at once: one that the server keeps waiting does not hold up the others.
const AT_ONCE: usize = 4;
/// The pause between two rounds of the purge.
const PURGE: Duration = Duration::from_secs(60);

/// Makes the secret of a link, and stores its hash: a function of the service that redeems the secret. It runs in the
/// transaction that leases the row, before each try.
pub type DrawSecret =
    for<'a> fn(&'a mut PgConnection, Link<'a>) -> BoxFuture<'a, anyhow::Result<Drawn>>;

/// What was drawn for a link.
#[derive(Debug)]
pub enum Drawn {
    /// The secret, in characters that need no escape in an address, such as base64url.
    Secret(SecretString),
    /// The link has no purpose any more, such as for an address that was verified meanwhile: the mail is not sent.
    Obsolete,
}

/// Sends the mails of a database.
#[derive(Clone)]
pub struct Worker {
    pool: PgPool,
    shared: Arc<Shared>,
}

struct Shared {
    transport: Transport,
    from: Mailbox,
    /// Without a slash at its end.
    public_url: String,
    draw: DrawSecret,
    limits: Limits,
}

/// A mail that is leased, with the secret of its link.
struct Ready {
    mail: Box<Leased>,
    secret: Option<SecretString>,
}

impl Worker {
    /// Makes the worker of the pool's database. Its links begin with `public_url`.
    ///
    /// # Errors
    /// When MAIL_URL is malformed, or its file cannot be read.
    pub fn new(
        pool: PgPool,
        config: &MailConfig,
        public_url: &str,
        draw: DrawSecret,
    ) -> anyhow::Result<Self> {
        let transport = config.transport()?;
        if matches!(transport, Transport::Waiting) {
            tracing::warn!("MAIL_URL is not set: mails wait");
        }
        Ok(Self {
            pool,
            shared: Arc::new(Shared {
                transport,
                from: config.mail_from.clone(),
                public_url: public_url.trim_end_matches('/').to_owned(),
                draw,
                limits: Limits::default(),
            }),
        })
    }

    /// Waits for other times than usual, for tests.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        let Self { pool, shared } = self;
        let shared = Arc::into_inner(shared).expect("the worker does not run yet");
        let shared = Arc::new(Shared { limits, ..shared });
        Self { pool, shared }
    }

    /// Sends until the process stops, and then finishes the mails in hand.
    ///
    /// # Errors
    /// Never: while the database does not answer, it tries again.
    pub async fn run(self, stopping: CancellationToken) -> anyhow::Result<()> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let tasks = TaskTracker::new();
        let mut backoff = Backoff::default();
        let mut purge_at = Instant::now();
        while let Some(place) = free(&places, &stopping).await {
            match self.round(&mut purge_at).await {
                Ok(Some(ready)) => {
                    backoff.reset();
                    let worker = self.clone();
                    tasks.spawn(async move {
                        worker.deliver(ready).await;
                        drop(place);
                    });
                }
                Ok(None) => {
                    backoff.reset();
                    finished("mail");
                    tokio::select! {
                        () = stopping.cancelled() => {}
                        () = tokio::time::sleep(self.shared.limits.poll) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!("Mails cannot be sent at the moment: {error:#}");
                    backoff.wait(&stopping).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
        Ok(())
    }

    /// Returns the next mail to send. `None`: none is due.
    async fn round(&self, purge_at: &mut Instant) -> anyhow::Result<Option<Ready>> {
        if !matches!(self.shared.transport, Transport::Waiting) {
            while let Some(claimed) = self.claim().await? {
                if let Some(ready) = claimed {
                    return Ok(Some(ready));
                }
            }
        }
        let mut connection = self.pool.acquire().await?;
        let unanswered = store::take_back(&mut connection).await?;
        count("unknown", unanswered);
        if Instant::now() >= *purge_at && !purge::round(&mut connection).await? {
            *purge_at = Instant::now() + PURGE;
        }
        Ok(None)
    }

    /// Leases the next mail and draws its secret, in one transaction. `Some(None)`: a mail was leased that is not sent.
    async fn claim(&self) -> anyhow::Result<Option<Option<Ready>>> {
        let mut tx = self.pool.begin().await?;
        let Some(claim) = store::claim(&mut tx, self.shared.limits.lease).await? else {
            return Ok(None);
        };
        let (id, lease) = claim.key();
        let prepared = self.prepare(&mut tx, claim).await;
        let ready = match prepared {
            Ok(Ok(ready)) => Some(ready),
            Ok(Err(outcome)) => {
                store::settle(&mut tx, (id, lease), &outcome).await?;
                count(outcome.state(), 1);
                None
            }
            Err(error) => {
                tx.rollback().await?;
                let mut connection = self.pool.acquire().await?;
                store::postpone(&mut connection, id, self.shared.limits.pause).await?;
                return Err(error.context("the secret of a link cannot be drawn"));
            }
        };
        tx.commit().await?;
        Ok(Some(ready))
    }

    /// Draws the secret of a mail. Returns the outcome of a mail that is not sent.
    async fn prepare(
        &self,
        connection: &mut PgConnection,
        claim: Claim,
    ) -> anyhow::Result<Result<Ready, Outcome>> {
        let failed = |failure, reason: &str| {
            let reason = reason.to_owned();
            Ok(Err(Outcome::Failed { failure, reason }))
        };
        let Claim::Mail(mail) = claim else {
            return failed("unreadable", "its arguments cannot be read");
        };
        if matches!(self.shared.transport, Transport::Off) {
            return failed("off", "MAIL_URL is none: no mail is sent");
        }
        let secret = match mail.content.purpose() {
            None => None,
            Some((purpose, valid_for)) => {
                let link = Link {
                    user_id: mail.user_id,
                    purpose,
                    recipient: &mail.recipient,
                    valid_for,
                };
                match (self.shared.draw)(connection, link).await? {
                    Drawn::Secret(secret) => Some(secret),
                    Drawn::Obsolete => {
                        return failed("obsolete", "its link is not needed any more");
                    }
                }
            }
        };
        Ok(Ok(Ready { mail, secret }))
    }
}

/// Waits for one of the places to send from. `None`: the process stops.
async fn free(
    places: &Arc<Semaphore>,
    stopping: &CancellationToken,
) -> Option<OwnedSemaphorePermit> {
    tokio::select! {
        biased;
        () = stopping.cancelled() => None,
        place = Arc::clone(places).acquire_owned() => place.ok(),
    }
}

/// Counts tries by the state that they led to.
fn count(state: &'static str, tries: u64) {
    metrics::counter!("medtrack_mail_tries_total", "state" => state).increment(tries);
}
