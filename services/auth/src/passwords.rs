//! Hashing of passwords: argon2id, a few at a time.

use crate::domain::Password;
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use std::{sync::Arc, thread::available_parallelism, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a hash may wait for its turn. A hash takes 20 ms of a core: a longer queue only gets longer.
const WAIT: Duration = Duration::from_secs(2);

/// Hashes passwords, as many at a time as there are cores. The default of `argon2` is OWASP's minimum:
/// argon2id, m = 19456 KiB, t = 2, p = 1.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    turns: Arc<Semaphore>,
    decoy: Arc<str>,
}

/// Too many passwords are waiting.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many passwords are waiting to be checked")]
pub struct Busy;

impl Hasher {
    /// Takes a moment: it makes the hash that a log-in for an unknown address is compared with.
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let decoy = hash(b"nobody's password").into();
        Self {
            turns: Arc::new(Semaphore::new(cores)),
            decoy,
        }
    }

    /// Hashes a password to a PHC string.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        let turn = self.turn().await?;
        in_turn(turn, move || hash(password.as_bytes())).await
    }

    /// Whether this is the password of the hash. Without a hash it takes as long, and is not.
    ///
    /// # Errors
    /// [`Busy`] after two seconds of waiting.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool, Busy> {
        let turn = self.turn().await?;
        let decoy = Arc::clone(&self.decoy);
        in_turn(turn, move || {
            let stored = hash.as_deref().unwrap_or(&decoy);
            PasswordHash::new(stored).is_ok_and(|stored| matches(password.as_bytes(), &stored))
                && hash.is_some()
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
    let params = Params::default();
    let salt = Salt::generate();
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        hash: output(&params, password, &salt),
        params: ParamsString::try_from(&params).expect("the default parameters can be written"),
        salt: Some(salt),
    };
    hash.to_string()
}

/// A stored hash with larger parameters than ours is not ours; it could ask for any amount of memory.
fn matches(password: &[u8], stored: &PasswordHash) -> bool {
    let (Ok(params), Some(salt), Some(expected)) =
        (Params::try_from(stored), stored.salt, stored.hash)
    else {
        return false;
    };
    let ours = stored.algorithm == Algorithm::Argon2id.ident()
        && params.block_count() <= Params::default().block_count();
    // The comparison of outputs takes the same time wherever they differ.
    ours && output(&params, password, &salt) == Some(expected)
}

fn output(params: &Params, password: &[u8], salt: &[u8]) -> Option<Output> {
    // The system's allocator maps what is over 32 MiB, and so gives it back; smaller blocks it keeps for each
    // thread that has ever hashed, 230 MB after some hundred log-ins. Only the 19 MiB in use cost memory.
    let mut memory = Vec::with_capacity(33 * 1024 * 1024 / Block::SIZE);
    memory.resize(params.block_count(), Block::default());
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2
        .hash_password_into_with_memory(password, salt, &mut out, &mut memory)
        .ok()?;
    Output::new(&out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_documented_parameters_and_verifies() {
        let hasher = Hasher::new();
        let password = Password::claimed("SecurePass123!").unwrap();
        let hash = hasher.hash(password.clone()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            hasher
                .verify(password.clone(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hasher
                .verify(Password::claimed("another").unwrap(), Some(hash))
                .await
                .unwrap()
        );
        let foreign = "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g";
        assert!(
            !hasher
                .verify(Password::claimed("x").unwrap(), Some(foreign.into()))
                .await
                .unwrap()
        );
        let decoy = Password::claimed("nobody's password").unwrap();
        assert!(
            !hasher.verify(decoy, None).await.unwrap(),
            "the decoy opens nothing"
        );
    }
}
