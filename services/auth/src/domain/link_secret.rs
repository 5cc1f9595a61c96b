//! The secret of a link in a mail.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

/// The characters of a secret.
const LENGTH: usize = 43;

/// 256 random bits as base64url. `Debug` is left out on purpose.
pub(crate) struct LinkSecret(String);

impl LinkSecret {
    /// Draws a secret.
    pub(crate) fn draw() -> Self {
        let bytes: [u8; 32] = rand::rng().random();
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a secret that a client presents. `None` when it has not the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let is_secret = text.len() == LENGTH && text.chars().all(is_plain);
        is_secret.then(|| Self(text.to_owned()))
    }

    /// What is stored of it: SHA-256, in hex.
    pub(crate) fn digest(&self) -> String {
        let digest = Sha256::digest(&self.0);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The secret, for the link.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_and_needs_no_escape_in_a_link() {
        let secret = LinkSecret::draw();
        assert_ne!(secret.digest(), LinkSecret::draw().digest());
        assert_eq!(secret.digest().len(), 64);
        let digest = secret.digest();
        let text = secret.into_text();
        let read = LinkSecret::parse(&text).unwrap();
        assert_eq!(read.digest(), digest);
        for bad in [
            "",
            "abc",
            &text[1..],
            &format!("{text}a"),
            &text.replace(&text[..1], "/"),
        ] {
            assert!(LinkSecret::parse(bad).is_none(), "{bad}");
        }
    }
}
