//! Tokens by which a device is recognised that logged in before.
//!
//! A token is `<id>.<mac>.<mac>…`: a random id, and for each account that the device logged in to a MAC of id and account.
//! It names no account; who reads it cannot tell which accounts it is for. It lets nobody in: a device that is recognised
//! only has failures of its own.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

/// Of the id, and of a MAC.
const BYTES: usize = 16;
/// A ward computer has a few users; the last ones are kept.
const MOST_ACCOUNTS: usize = 8;

/// A device.
pub(super) struct Device {
    id: String,
    /// The newest last.
    macs: Vec<[u8; BYTES]>,
}

impl Device {
    /// A device that was not here before.
    pub(super) fn new() -> Self {
        Self {
            id: BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>()),
            macs: Vec::new(),
        }
    }

    /// Reads a token; `None` when it is none.
    pub(super) fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let id = parts.next()?;
        bytes(id)?;
        // One more than a token has, so that a longer one is seen without reading all of it.
        let macs: Option<Vec<_>> = parts.take(MOST_ACCOUNTS + 1).map(bytes).collect();
        let macs = macs.filter(|macs| macs.len() <= MOST_ACCOUNTS)?;
        Some(Self {
            id: id.to_owned(),
            macs,
        })
    }

    /// What the device is counted by.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether it logged in to this account.
    pub(super) fn is_of(&self, key: &hmac::Key, account: &str) -> bool {
        let expected = self.mac(key, account);
        self.macs
            .iter()
            .any(|mac| constant_time::verify_slices_are_equal(mac, &expected).is_ok())
    }

    /// The token of the device after it logged in to this account.
    pub(super) fn for_account(mut self, key: &hmac::Key, account: &str) -> String {
        let mac = self.mac(key, account);
        self.macs.retain(|known| *known != mac);
        self.macs.push(mac);
        let kept = self.macs.iter().rev().take(MOST_ACCOUNTS).rev();
        let macs = kept.map(|mac| format!(".{}", BASE64_URL_SAFE_NO_PAD.encode(mac)));
        self.id.clone() + &macs.collect::<String>()
    }

    fn mac(&self, key: &hmac::Key, account: &str) -> [u8; BYTES] {
        let text = format!("device {} of {account}", self.id);
        let tag = hmac::sign(key, text.as_bytes());
        std::array::from_fn(|i| tag.as_ref()[i])
    }
}

fn bytes(text: &str) -> Option<[u8; BYTES]> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_keeps_the_last_accounts_and_a_token_does_not_grow() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let account = |i: usize| format!("account {i}");
        let mut token = Device::new().for_account(&key, &account(0));
        for i in 1..=20 {
            let device = Device::parse(&token).expect("it was made here");
            token = device.for_account(&key, &account(i));
        }
        let device = Device::parse(&token).expect("it was made here");
        let known: Vec<_> = (0..=20)
            .filter(|i| device.is_of(&key, &account(*i)))
            .collect();
        assert_eq!(known, (13..=20).collect::<Vec<_>>());
        assert_eq!(token.len(), 22 + MOST_ACCOUNTS * 23);
        let again = device.for_account(&key, &account(20));
        assert_eq!(again, token);
        assert!(Device::parse(&format!("{token}.{}", &token[..22])).is_none());
    }
}
