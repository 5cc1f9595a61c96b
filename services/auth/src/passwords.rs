//! Hashing of passwords: argon2id, a few at a time.
//!
//! Users who were imported from Django's table have Django's hashes, in `users_user.password_hash` as they are. The first
//! log-in replaces them. Until then the check of such a hash takes longer than that of an unknown address (PBKDF2 with a
//! million iterations about 0.3 s, Django's argon2 about 0.1 s, ours 16 ms of a core): who measures can tell that the
//! address has a user who was imported and has not logged in yet.

mod argon;
mod stored;

pub(crate) use argon::Argon;

use crate::domain::Password;
use std::{sync::Arc, thread::available_parallelism, time::Duration};
use stored::Stored;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// How long a hash may wait for its turn. A hash takes 16 ms of a core: a longer queue only gets longer.
const WAIT: Duration = Duration::from_secs(2);
/// How long the memory of a hash is kept for the next one.
const IDLE: Duration = Duration::from_secs(2);

/// Hashes passwords, as many at a time as there are cores.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
    argon: Arc<Argon>,
    decoy: Arc<Stored>,
}

/// What a password is for a stored hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Check {
    /// Another one.
    Wrong,
    /// Its password.
    Right,
    /// Its password, but today the hash would be made in another way.
    RightButOutdated,
}

/// Too many passwords are waiting.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many passwords are waiting to be checked")]
pub struct Busy;

impl Hasher {
    /// Takes a moment: it makes the hash that a log-in for an unknown address is compared with.
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let argon = Argon::default();
        let decoy = Stored::parse(&argon.hash_bytes(b"nobody's password"));
        Self {
            turns: Arc::new(Semaphore::new(cores)),
            argon: Arc::new(argon),
            decoy: Arc::new(decoy.expect("what is made here can be read")),
        }
    }

    /// Gives memory back that no hash has used for two seconds, until the process stops.
    ///
    /// # Errors
    /// Never.
    pub(crate) async fn give_back(self, stopping: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                () = tokio::time::sleep(IDLE / 2) => self.argon.give_back(IDLE),
            }
        }
    }

    /// Hashes a password to a PHC string.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.in_turn(move |argon| argon.hash(&password)).await
    }

    /// Whether this is the password of the hash. Without a hash that can be read it takes as long, and is not.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<Check, Busy> {
        let decoy = Arc::clone(&self.decoy);
        self.in_turn(move |argon| {
            if let Some(stored) = hash.as_deref().and_then(Stored::parse) {
                return stored.check(argon, &password);
            }
            decoy.check(argon, &password);
            Check::Wrong
        })
        .await
    }

    /// Does work that takes a core for a while, on a thread on which nothing else waits for it. The work runs in the
    /// span of the caller.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub(crate) async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let turn = self.turn().await?;
        let argon = Arc::clone(&self.argon);
        let span = Span::current();
        let work = tokio::task::spawn_blocking(move || {
            let result = span.in_scope(|| work(&argon));
            // Here and not outside: a client that hangs up must not free the turn while the work goes on.
            drop(turn);
            result
        });
        work.await.map_err(|_| Busy)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Busy> {
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(Busy)
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{runtime::Handle, sync::watch};

    #[tokio::test]
    async fn a_log_in_for_an_unknown_address_is_compared_with_a_hash_that_nothing_matches() {
        let hasher = Hasher::new();
        let password = Password::claimed("nobody's password").unwrap();
        let checked = hasher.verify(password, None).await.unwrap();
        assert_eq!(checked, Check::Wrong);
    }

    #[tokio::test]
    async fn no_more_work_runs_at_a_time_than_there_are_cores_and_the_rest_is_refused_in_time() {
        let hasher = Hasher::new();
        let cores = available_parallelism().map_or(1, usize::from);
        let (stop, stopped) = watch::channel(());
        let working: Vec<_> = (0..cores)
            .map(|_| {
                let (hasher, mut stopped) = (hasher.clone(), stopped.clone());
                let wait = move |_: &Argon| Handle::current().block_on(stopped.changed());
                tokio::spawn(async move { hasher.in_turn(wait).await })
            })
            .collect();
        while hasher.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(hasher.in_turn(|_| ()).await.is_err());
        stop.send_replace(());
        for work in working {
            assert!(work.await.unwrap().is_ok());
        }
        assert!(hasher.in_turn(|_| ()).await.is_ok());
    }
}
