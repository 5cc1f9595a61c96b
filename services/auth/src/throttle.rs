//! The digests by which tries to log in are counted.

use crate::store::logins::{self, Attempt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use sqlx::PgPool;
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// Makes the digests. They have a key: without one, a reader of the table could find out who tried to log in.
#[derive(Clone)]
pub(crate) struct Throttle {
    key: Arc<hmac::Key>,
}

impl Throttle {
    /// Reads the key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn load(pool: &PgPool) -> sqlx::Result<Self> {
        let secret = logins::secret(&mut *pool.acquire().await?).await?;
        Ok(Self::new(&secret))
    }

    fn new(secret: &[u8]) -> Self {
        Self {
            key: Arc::new(hmac::Key::new(HMAC_SHA256, secret)),
        }
    }

    /// A try to log in, in the form in which it is counted. An IPv6 address is counted as its /64 network, because one
    /// client has a whole one.
    pub(crate) fn attempt(&self, email: &str, client: IpAddr) -> Attempt {
        let network = match client.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & !u128::from(u64::MAX),
            )),
            address => address,
        };
        Attempt {
            email_hash: self.email_hash(email),
            address_hash: self.digest(&network.to_string()),
        }
    }

    /// The digest of an e-mail.
    pub(crate) fn email_hash(&self, email: &str) -> String {
        self.digest(&email.trim().to_lowercase())
    }

    fn digest(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.as_bytes());
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_depends_on_the_key_and_on_what_is_counted_only() {
        let throttle = Throttle::new(b"one");
        let attempt = |email: &str, address: &str| {
            let attempt = throttle.attempt(email, address.parse().unwrap());
            (attempt.email_hash, attempt.address_hash)
        };
        assert_eq!(
            attempt(" A@b.example", "2001:db8::1"),
            attempt("a@B.example ", "2001:db8::2")
        );
        assert_ne!(
            attempt("a@b.example", "192.0.2.1").1,
            attempt("a@b.example", "192.0.2.2").1
        );
        assert_ne!(
            throttle.email_hash("a@b.example"),
            Throttle::new(b"two").email_hash("a@b.example")
        );
    }
}
