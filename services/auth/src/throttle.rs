//! Who is counted, and how often they may try: by digests, and in the database, so that all processes count together.
//!
//! A try to log in is counted for the account and the client. A client that the account knows is the device that logged
//! in to it before, or the session of an access token; each has failures of its own, so that nobody else can lock it. All
//! other clients are strangers, known by their address, and share a budget for each account.

mod device;

use crate::store::{
    self,
    budgets::{Budget, Limit},
    logins::Attempt,
};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use device::Device;
use sqlx::{PgConnection, PgPool};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};
use uuid::Uuid;

const MINUTE: i32 = 60;
const HOUR: i32 = 60 * MINUTE;

/// What all clients without a known device may try at one account.
const STRANGERS: Limit = limit("strangers", 30, HOUR);
/// How many log-ins from one address may fail. Many are allowed: a whole hospital may come from one address, and the old
/// front end logs everybody in from one.
const FAILURES: Limit = limit("failures", 300, MINUTE);
/// How often one address may register.
pub(crate) const REGISTRATIONS: Limit = limit("registrations", 20, MINUTE);
/// How often one address may say that a password is forgotten.
pub(crate) const FORGOTTEN_PASSWORDS: Limit = limit("forgotten passwords", 20, MINUTE);
/// How many mails of any purpose an account gets.
const MAILS: Limit = limit("mails", 10, 24 * HOUR);

const fn limit(purpose: &'static str, most: i32, seconds: i32) -> Limit {
    Limit {
        purpose,
        most,
        seconds,
    }
}

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
        let secret = store::logins::secret(&mut *pool.acquire().await?).await?;
        Ok(Self::new(&secret))
    }

    fn new(secret: &[u8]) -> Self {
        Self {
            key: Arc::new(hmac::Key::new(HMAC_SHA256, secret)),
        }
    }

    /// A try to log in of a client that shows this token of a device, or none.
    pub(crate) fn attempt(&self, email: &str, device: Option<&str>, address: IpAddr) -> Attempt {
        let account = self.account(email);
        let known = device
            .and_then(Device::parse)
            .filter(|device| device.is_of(&self.key, &account));
        if let Some(device) = known {
            return known_client(account, self.digest(&format!("device {}", device.id())));
        }
        let budgets = vec![
            Budget {
                subject: account.clone(),
                limit: STRANGERS,
            },
            self.address_budget(address, FAILURES),
        ];
        Attempt {
            client: self.address(address),
            account,
            budgets,
        }
    }

    /// A try of a user who is logged in to give the password again.
    pub(crate) fn attempt_in_session(&self, email: &str, session_id: Uuid) -> Attempt {
        let client = self.digest(&format!("session {session_id}"));
        known_client(self.account(email), client)
    }

    /// Returns the token by which the client is recognised as a device of this account from now on. A client keeps its
    /// token for the other accounts that it shows one for.
    pub(crate) fn device(&self, email: &str, shown: Option<&str>) -> String {
        let device = shown.and_then(Device::parse).unwrap_or_else(Device::new);
        device.for_account(&self.key, &self.account(email))
    }

    /// What an address may do.
    pub(crate) fn address_budget(&self, address: IpAddr, limit: Limit) -> Budget {
        Budget {
            subject: self.address(address),
            limit,
        }
    }

    /// Counts a mail to an account: 3 an hour for one purpose and 10 a day may be sent. Returns false when it must not be
    /// sent; the answer to the request is the same.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn may_mail(
        &self,
        connection: &mut PgConnection,
        email: &str,
        purpose: &'static str,
    ) -> sqlx::Result<bool> {
        // The day is the last, so that a mail that its purpose refuses does not use it up.
        for limit in [limit(purpose, 3, HOUR), MAILS] {
            let subject = self.account(email);
            if !store::budgets::spend(connection, &Budget { subject, limit }).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes what is counted about an account that is deleted, except its mails, which are forgotten after a day: else
    /// somebody could register and delete an account with the address of another person, and so send mails without limit.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn forget(
        &self,
        connection: &mut PgConnection,
        email: &str,
    ) -> sqlx::Result<()> {
        let subject = self.account(email);
        store::logins::forget(connection, &subject).await?;
        let limit = STRANGERS;
        store::budgets::forget(connection, &Budget { subject, limit }).await
    }

    fn account(&self, email: &str) -> String {
        self.digest(&email.trim().to_lowercase())
    }

    /// The digest of an address; of an IPv6 address, of its /64 network, because one client has a whole one.
    fn address(&self, address: IpAddr) -> String {
        let network = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
                address.to_bits() & !u128::from(u64::MAX),
            )),
            address => address,
        };
        self.digest(&network.to_string())
    }

    fn digest(&self, text: &str) -> String {
        let tag = hmac::sign(&self.key, text.as_bytes());
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn known_client(account: String, client: String) -> Attempt {
    Attempt {
        account,
        client,
        budgets: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_support::Database;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_digest_depends_on_the_key_and_on_what_is_counted_only() {
        let throttle = Throttle::new(b"one");
        let attempt = |email: &str, address: &str| {
            let attempt = throttle.attempt(email, None, address.parse().unwrap());
            (attempt.account, attempt.client)
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
            throttle.account("a@b.example"),
            Throttle::new(b"two").account("a@b.example")
        );
    }

    #[test]
    fn a_device_is_known_to_the_accounts_that_it_logged_in_to_and_to_no_other() {
        let throttle = Throttle::new(b"one");
        let is_known = |email: &str, device: &str| {
            let attempt = throttle.attempt(email, Some(device), ADDRESS);
            attempt.budgets.is_empty()
        };
        let first = throttle.device("a@b.example", None);
        let both = throttle.device("c@d.example", Some(&first));
        assert!(is_known("A@b.example", &first) && !is_known("c@d.example", &first));
        assert!(is_known("a@b.example", &both) && is_known("c@d.example", &both));
        let client = |device| {
            throttle
                .attempt("a@b.example", Some(device), ADDRESS)
                .client
        };
        assert_eq!(client(&first), client(&both));
        let elsewhere = Throttle::new(b"two").device("a@b.example", None);
        for forged in ["", ".", "a device", &elsewhere, &first[..first.len() - 1]] {
            assert!(!is_known("a@b.example", forged), "{forged}");
            assert!(is_known(
                "a@b.example",
                &throttle.device("a@b.example", Some(forged))
            ));
        }
    }

    #[test]
    fn what_a_client_without_a_known_device_claims_changes_nothing() {
        let throttle = Throttle::new(b"one");
        let stranger = throttle.attempt("a@b.example", None, ADDRESS);
        let device = throttle.device("other@b.example", None);
        let other = throttle.attempt("a@b.example", Some(&device), ADDRESS);
        assert_eq!(stranger.client, other.client);
        assert_eq!(other.budgets.len(), 2);
    }

    /// Deleting the account does not help to send more mails to its address.
    #[tokio::test]
    async fn an_account_gets_three_mails_an_hour_for_a_purpose_and_ten_a_day() {
        let database = Database::empty().await;
        for migrator in crate::MIGRATORS {
            let mut connection = database.pool.acquire().await.unwrap();
            migrator.run(&mut *connection).await.unwrap();
        }
        let throttle = Throttle::load(&database.pool).await.unwrap();
        let mut connection = database.pool.acquire().await.unwrap();
        let mut sent = Vec::new();
        for purpose in ["one", "two", "three", "four"] {
            for _ in 0..4 {
                let mail = throttle.may_mail(&mut connection, "a@b.example", purpose);
                sent.push(u8::from(mail.await.unwrap()));
            }
            throttle
                .forget(&mut connection, "a@b.example")
                .await
                .unwrap();
        }
        assert_eq!(sent, [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0]);
        let other = throttle.may_mail(&mut connection, "c@d.example", "one");
        assert!(other.await.unwrap());
    }
}
