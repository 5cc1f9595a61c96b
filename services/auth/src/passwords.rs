//! Hashing of passwords: argon2id, a few at a time.

use crate::domain::Password;
use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use std::{sync::Arc, thread::available_parallelism, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a hash may wait for its turn. A hash takes 20 ms of a core: a longer queue only gets longer.
const WAIT: Duration = Duration::from_secs(2);

/// Hashes passwords, as many at a time as there are cores. The default of `argon2` is OWASP's minimum:
/// argon2id, m = 19456 KiB, t = 2, p = 1.
#[derive(Clone, Debug)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    decoy: Arc<str>,
}

/// Too many passwords are waiting.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many passwords are waiting to be checked")]
pub struct Busy;

impl Hasher {
    /// Takes a moment: it makes the hash that a log-in for an unknown address is compared with.
    pub fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let decoy = hash(b"nobody's password").into();
        Self { turns: Arc::new(Semaphore::new(cores)), decoy }
    }

    /// Hashes a password to a PHC string.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub async fn hash(&self, password: Password) -> Result<String, Busy> {
        let turn = self.turn().await?;
        in_turn(turn, move || hash(password.as_bytes())).await
    }

    /// Whether this is the password of the hash. Without a hash it takes as long, and is not.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, Busy> {
        let turn = self.turn().await?;
        let decoy = Arc::clone(&self.decoy);
        in_turn(turn, move || {
            let known = hash.as_deref().unwrap_or(&decoy);
            let matches = PasswordHash::new(known)
                .is_ok_and(|known| Argon2::default().verify_password(password.as_bytes(), &known).is_ok());
            matches && hash.is_some()
        })
        .await
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

/// The permit goes into the task: a client that hangs up must not free it while the hash runs on.
async fn in_turn<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Busy> {
    let work = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(turn);
        result
    });
    work.await.map_err(|_| Busy)
}

fn hash(password: &[u8]) -> String {
    Argon2::default()
        .hash_password(password)
        .expect("the default parameters are valid, and the system has random bytes")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_documented_parameters_and_verifies() {
        let hasher = Hasher::new();
        let password = Password::claimed("SecurePass123!").unwrap();
        let hash = hasher.hash(password.clone()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify(password.clone(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Password::claimed("another").unwrap(), Some(hash)).await.unwrap());
        let decoy = Password::claimed("nobody's password").unwrap();
        assert!(!hasher.verify(decoy, None).await.unwrap(), "the decoy opens nothing");
    }
}
