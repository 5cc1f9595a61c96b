//! Refresh tokens: opaque for clients, and stored as digests only.
//!
//! A token names its session, so that a token which is neither the present one nor one used a moment ago is known to be
//! stolen or made up, without a list of all tokens that ever were. The secret of the next token is an HMAC under the
//! present token, of a stored salt: only a client that has the present token can make it again, and neither a dump of the
//! database nor a key of the server yields one.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The bytes of a secret.
const SECRET: usize = 32;
/// The bytes of the id of a session.
const ID: usize = 16;

/// A refresh token. `Debug` is left out on purpose.
pub(crate) struct RefreshToken {
    bytes: [u8; ID + SECRET],
}

impl RefreshToken {
    /// Makes the first token of a session: 256 random bits.
    pub(crate) fn first(session_id: Uuid) -> Self {
        Self::new(session_id, rand::rng().random())
    }

    fn new(session_id: Uuid, secret: [u8; SECRET]) -> Self {
        let mut bytes = [0; ID + SECRET];
        bytes[..ID].copy_from_slice(session_id.as_bytes());
        bytes[ID..].copy_from_slice(&secret);
        Self { bytes }
    }

    /// Reads a token that a client presents. `None` when it has not the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; ID + SECRET];
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Self { bytes })
    }

    /// The session that it names.
    pub(crate) fn session_id(&self) -> Uuid {
        let mut id = [0; ID];
        id.copy_from_slice(&self.bytes[..ID]);
        Uuid::from_bytes(id)
    }

    /// The token that follows, made from a salt. The same salt makes the same token.
    pub(crate) fn next(&self, salt: &[u8]) -> Self {
        let key = hmac::Key::new(HMAC_SHA256, &self.bytes);
        let tag = hmac::sign(&key, salt);
        let mut secret = [0; SECRET];
        secret.copy_from_slice(tag.as_ref());
        Self::new(self.session_id(), secret)
    }

    /// SHA-256 of the text, in hex: what is stored.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(self.to_text())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The text that a client receives.
    pub(crate) fn to_text(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_names_its_session() {
        let id = Uuid::now_v7();
        let token = RefreshToken::first(id);
        let read = RefreshToken::parse(&token.to_text()).unwrap();
        assert_eq!((read.session_id(), read.digest()), (id, token.digest()));
        for bad in [
            "",
            "abc",
            &token.to_text()[1..],
            &format!("{}AAAA", token.to_text()),
        ] {
            assert!(RefreshToken::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_next_token_depends_on_the_present_one_and_on_the_salt() {
        let id = Uuid::now_v7();
        let token = RefreshToken::first(id);
        assert_eq!(token.next(b"salt").to_text(), token.next(b"salt").to_text());
        assert_ne!(
            token.next(b"salt").to_text(),
            token.next(b"other").to_text()
        );
        assert_ne!(
            token.next(b"salt").to_text(),
            RefreshToken::first(id).next(b"salt").to_text()
        );
        assert_eq!(token.next(b"salt").session_id(), id);
    }
}
