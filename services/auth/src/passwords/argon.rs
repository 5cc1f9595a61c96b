//! argon2id with the memory of earlier hashes.
//!
//! A hash in fresh memory takes 26 ms, of which the system needs 10 ms to map 19 MiB page by page and to take them
//! back; in memory that a hash has used before it takes 16 ms.

use crate::domain::Password;
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Hashes passwords with the default of `argon2`, OWASP's minimum: argon2id, m = 19456 KiB, t = 2, p = 1.
#[derive(Default)]
pub(crate) struct Argon {
    /// As many as have been in use at one time. The last one was used last.
    unused: Mutex<Vec<Memory>>,
}

struct Memory {
    blocks: Vec<Block>,
    used_at: Instant,
}

impl Argon {
    /// Hashes a password to a PHC string.
    pub(crate) fn hash(&self, password: &Password) -> String {
        self.hash_bytes(password.as_bytes())
    }

    pub(super) fn hash_bytes(&self, password: &[u8]) -> String {
        let params = Params::default();
        let salt = Salt::generate();
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            hash: self.output(&params, (password, &salt), Params::DEFAULT_OUTPUT_LEN),
            params: ParamsString::try_from(&params).expect("the default parameters can be written"),
            salt: Some(salt),
        };
        hash.to_string()
    }

    /// The output of these parameters, as long as `length`. More memory than our own hashes use is not kept.
    pub(super) fn output(
        &self,
        params: &Params,
        (password, salt): (&[u8], &[u8]),
        length: usize,
    ) -> Option<Output> {
        metrics::counter!("medtrack_password_hashes_total", "algorithm" => "argon2id").increment(1);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let mut out = vec![0; length];
        if params.block_count() > Params::default().block_count() {
            argon2.hash_password_into(password, salt, &mut out).ok()?;
            return Output::new(&out).ok();
        }
        let used = self.unused().pop();
        let mut blocks = used.map_or_else(fresh, |memory| memory.blocks);
        // The first pass overwrites what an earlier hash has left in the blocks.
        let hashed = argon2.hash_password_into_with_memory(password, salt, &mut out, &mut blocks);
        self.unused().push(Memory {
            blocks,
            used_at: Instant::now(),
        });
        hashed.ok()?;
        Output::new(&out).ok()
    }

    /// Gives memory back to the system that no hash has used for so long.
    pub(super) fn give_back(&self, idle: Duration) {
        self.unused()
            .retain(|memory| memory.used_at.elapsed() < idle);
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Memory>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Argon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Argon")
    }
}

fn fresh() -> Vec<Block> {
    let count = Params::default().block_count();
    // The system's allocator maps what is over 32 MiB, and so gives it back when it is freed; smaller blocks it keeps
    // for each thread that has ever hashed, 230 MB after some hundred log-ins. Only the 19 MiB in use cost memory.
    let mut blocks = Vec::with_capacity(33 * 1024 * 1024 / Block::SIZE);
    blocks.resize(count, Block::default());
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::claimed(text).unwrap()
    }

    #[test]
    fn a_hash_is_argon2id_with_the_documented_parameters() {
        let hash = Argon::default().hash(&password("SecurePass123!"));
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
    }

    #[test]
    fn used_memory_is_used_again_and_makes_the_same_hash_as_fresh_memory() {
        let (params, salt) = (Params::default(), b"a salt of 16 byte");
        let argon = Argon::default();
        argon.output(&params, (b"an earlier password", b"another salt here"), 32);
        let address = argon.unused()[0].blocks.as_ptr();
        let in_used = argon.output(&params, (b"the password", salt), 32);
        let addresses: Vec<_> = argon.unused().iter().map(|m| m.blocks.as_ptr()).collect();
        assert_eq!(addresses, [address]);
        assert_eq!(
            in_used,
            Argon::default().output(&params, (b"the password", salt), 32)
        );
    }

    #[test]
    fn the_memory_of_a_larger_hash_is_not_kept() {
        let argon = Argon::default();
        let larger = Params::new(Params::DEFAULT_M_COST + 8, 1, 1, None).unwrap();
        let hashed = argon.output(&larger, (b"the password", b"a salt of 16 byte"), 32);
        assert!(hashed.is_some());
        assert_eq!(argon.unused().len(), 0);
    }

    #[test]
    fn only_memory_that_has_not_been_used_for_a_while_is_given_back() {
        let argon = Argon::default();
        argon.hash(&password("SecurePass123!"));
        argon.give_back(Duration::from_secs(60));
        assert_eq!(argon.unused().len(), 1);
        argon.give_back(Duration::ZERO);
        assert_eq!(argon.unused().len(), 0);
    }
}
