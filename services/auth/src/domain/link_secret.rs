//! The secret of a link in a mail.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

/// 256 random bits as base64url. `Debug` is left out on purpose.
pub(crate) struct LinkSecret(String);

impl LinkSecret {
    /// Draws a secret.
    pub(crate) fn draw() -> Self {
        let bytes: [u8; 32] = rand::rng().random();
        Self(BASE64_URL_SAFE_NO_PAD.encode(bytes))
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
        let text = secret.into_text();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(text.len() == 43 && text.chars().all(is_plain));
    }
}
