//! The forms of a stored hash: our own, and those of users who were imported from Django's table.

use super::{Argon, Check};
use crate::domain::Password;
use argon2::{
    Algorithm, Params, Version,
    password_hash::phc::{Output, PasswordHash, Salt},
};
use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, verify};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::num::NonZeroU32;

/// 128 MiB; Django's argon2 uses 100.
const MOST_MEMORY_KIB: u32 = 128 * 1024;
/// What a hash writes in all its passes, in KiB. Ours writes 38, Django's 200 MiB.
const MOST_WORK_KIB: u64 = 512 * 1024;
/// Django 6.0 has 1,200,000.
const MOST_ITERATIONS: u32 = 2_000_000;
/// A text of Django's has 22 characters.
const LONGEST_SALT: usize = 64;

/// A hash whose check takes bounded memory and time.
#[derive(Debug)]
pub(super) enum Stored {
    /// argon2id.
    Argon {
        params: Params,
        salt: Salt,
        expected: Output,
        /// As this version makes them.
        is_current: bool,
    },
    /// PBKDF2 with HMAC-SHA-256.
    Pbkdf2 {
        iterations: NonZeroU32,
        salt: String,
        expected: Vec<u8>,
    },
}

impl Stored {
    /// Reads a PHC string, or what Django stores: `argon2$argon2id$…` and `pbkdf2_sha256$<iterations>$<salt>$<base64>`.
    /// `None` for any other text, and for parameters that ask for too much.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("pbkdf2_sha256$") {
            return pbkdf2(rest);
        }
        // Django puts its own name of the algorithm before the PHC string.
        match text.strip_prefix("argon2$") {
            Some(rest) => argon(&format!("${rest}"), false),
            None => argon(text, true),
        }
    }

    /// Whether this is the password of the hash. The comparison takes the same time wherever the outputs differ.
    pub(super) fn check(&self, argon: &Argon, password: &Password) -> Check {
        let password = password.as_bytes();
        let (is_right, is_current) = match self {
            Self::Argon {
                params,
                salt,
                expected,
                is_current,
            } => {
                let output = argon.output(params, (password, salt), expected.len());
                (
                    output.is_some_and(|output| output == *expected),
                    *is_current,
                )
            }
            Self::Pbkdf2 {
                iterations,
                salt,
                expected,
            } => {
                metrics::counter!("medtrack_password_hashes_total", "algorithm" => "pbkdf2_sha256")
                    .increment(1);
                let salt = salt.as_bytes();
                let output = verify(PBKDF2_HMAC_SHA256, *iterations, salt, password, expected);
                (output.is_ok(), false)
            }
        };
        match (is_right, is_current) {
            (false, _) => Check::Wrong,
            (true, true) => Check::Right,
            (true, false) => Check::RightButOutdated,
        }
    }
}

fn argon(phc: &str, is_ours: bool) -> Option<Stored> {
    let hash = PasswordHash::new(phc).ok()?;
    let params = Params::try_from(&hash).ok()?;
    let work = u64::from(params.m_cost()) * u64::from(params.t_cost());
    let is_accepted = hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && params.m_cost() <= MOST_MEMORY_KIB
        && work <= MOST_WORK_KIB;
    let expected = hash.hash.filter(|output| output.len() >= 16)?;
    let ours = Params::default();
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    let is_current =
        is_ours && costs(&params) == costs(&ours) && expected.len() == Params::DEFAULT_OUTPUT_LEN;
    is_accepted.then_some(Stored::Argon {
        params,
        salt: hash.salt?,
        expected,
        is_current,
    })
}

fn pbkdf2(text: &str) -> Option<Stored> {
    let mut parts = text.split('$');
    let iterations: NonZeroU32 = parts.next()?.parse().ok()?;
    let salt = parts.next()?.to_owned();
    let expected = BASE64_STANDARD.decode(parts.next()?).ok()?;
    let is_accepted = iterations.get() <= MOST_ITERATIONS
        && salt.len() <= LONGEST_SALT
        && expected.len() == 32
        && parts.next().is_none();
    is_accepted.then_some(Stored::Pbkdf2 {
        iterations,
        salt,
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_ask_for_too_much_are_refused() {
        let argon = |prefix: &str, params: &str| {
            let text = format!(
                "{prefix}$v=19${params}$bEcwVjRtcWtxM2pEcFZkRnpOZEJuMQ$JmXs+HlRx60GriQdshJIeBj9hxV7MYbAelOLSj+qK7w"
            );
            Stored::parse(&text).is_some()
        };
        for fine in ["m=19456,t=2,p=1", "m=102400,t=2,p=8", "m=131072,t=4,p=1"] {
            assert!(argon("$argon2id", fine), "{fine}");
            assert!(argon("argon2$argon2id", fine), "{fine}");
        }
        for wild in [
            "m=131073,t=1,p=1",
            "m=131072,t=5,p=1",
            "m=19456,t=4294967295,p=1",
            "m=4294967295,t=1,p=1",
            "m=19456,t=2,p=0",
        ] {
            assert!(!argon("$argon2id", wild), "{wild}");
        }
        for other in [
            "$argon2i",
            "$argon2d",
            "argon2$argon2i",
            "$scrypt",
            "argon2",
        ] {
            assert!(!argon(other, "m=19456,t=2,p=1"), "{other}");
        }
        let hash = "blM9hcewocA2s1nL1u0UGM+HoBCCBjEsjkLsRz3aD4w=";
        let pbkdf2 = |text: &str| Stored::parse(&format!("pbkdf2_sha256${text}")).is_some();
        assert!(pbkdf2(&format!("2000000$salt${hash}")));
        for bad in [
            format!("2000001$salt${hash}"),
            format!("0$salt${hash}"),
            format!("-1$salt${hash}"),
            format!("4294967296$salt${hash}"),
            format!("1000${}${hash}", "s".repeat(65)),
            format!("1000$salt${hash}$more"),
            "1000$salt$c2hvcnQ=".to_owned(),
            "1000$salt".to_owned(),
        ] {
            assert!(!pbkdf2(&bad), "{bad}");
        }
    }

    /// Made by Django 5.2 and by argon2-cffi, except the last: what this service made with fewer passes.
    #[test]
    fn hashes_of_django_and_our_own_of_other_parameters_match_and_are_outdated() {
        let argon = Argon::default();
        let password = |text: &str| Password::claimed(text).unwrap();
        let fewer = Params::new(19456, 1, 1, None).unwrap();
        let salt = Salt::generate();
        let output = argon.output(&fewer, (b"SecurePass123!", &salt), 32);
        let output = output.expect("the parameters are sound");
        for stored in [
            "pbkdf2_sha256$1000000$tixZ1hYxKLCfVkDEJ8cF6Y$hKR3hc0BramV0PEmPyD9hZ07f4IfNKu2wH9d7AhMfBY=",
            "pbkdf2_sha256$1000$lG0V4mqkq3jDpVdFzNdBn1$blM9hcewocA2s1nL1u0UGM+HoBCCBjEsjkLsRz3aD4w=",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$dVA4Z0xyS2thTVhQN0J3V05aQjRTVg$qh5p+c3rJMykcqn+PMUvsVrG1Q2Wp9FunXR+xEMz0Lw",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$bEcwVjRtcWtxM2pEcFZkRnpOZEJuMQ$uKxmzdJtipKJ2dckvgmU2Q",
            &format!("$argon2id$v=19$m=19456,t=1,p=1${salt}${output}"),
        ] {
            let parsed = Stored::parse(stored).expect(stored);
            let right = parsed.check(&argon, &password("SecurePass123!"));
            assert_eq!(right, Check::RightButOutdated, "{stored}");
            let wrong = parsed.check(&argon, &password("SecurePass123"));
            assert_eq!(wrong, Check::Wrong, "{stored}");
        }
        let own = argon.hash(&password("SecurePass123!"));
        let own = Stored::parse(&own).expect("it was made here");
        let right = own.check(&argon, &password("SecurePass123!"));
        assert_eq!(right, Check::Right);
        assert_eq!(own.check(&argon, &password("another")), Check::Wrong);
    }

    #[test]
    fn a_text_that_is_no_hash_is_refused() {
        for text in [
            "",
            "!",
            "!xyz of an unusable password",
            "md5$a$b",
            "$argon2id$",
            "argon2$",
        ] {
            assert!(Stored::parse(text).is_none(), "{text}");
        }
    }
}
