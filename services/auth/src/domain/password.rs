//! Passwords, as a user chooses them: long rather than complicated (NIST SP 800-63B, OWASP ASVS 5.0 §6.2).

mod popular;

use std::{fmt, sync::OnceLock};
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::{Score, zxcvbn};

/// The fewest characters of a new password that can be set.
pub(crate) const LEAST_MIN_LENGTH: usize = 12;
/// The most characters of a password.
pub(crate) const MAX_LENGTH: usize = 256;
/// What a guesser of passwords of this system tries first, beside the words of the user.
const WORDS_OF_THE_SYSTEM: [&str; 7] = [
    "medtrack",
    "student",
    "etudiant",
    "encadrant",
    "administrator",
    "hospital",
    "hopital",
];

/// Of the process: the OpenAPI document and the fields of bodies have it where no value can be handed to them.
static SET_MIN_LENGTH: OnceLock<usize> = OnceLock::new();

/// Sets the fewest characters of a new password, at the start of the process.
pub(crate) fn set_min_length(characters: usize) {
    // A second start in one process, as in tests, keeps the first value.
    let _ = SET_MIN_LENGTH.set(characters);
}

/// The fewest characters of a new password.
pub(crate) fn min_length() -> usize {
    *SET_MIN_LENGTH.get().unwrap_or(&LEAST_MIN_LENGTH)
}

/// A password in normal form NFC. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Password(String);

/// Why a password cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(crate) enum WeakPassword {
    /// Too few characters.
    #[error("Use at least {} characters.", min_length())]
    TooShort,
    /// Too many characters.
    #[error("Use at most {MAX_LENGTH} characters.")]
    TooLong,
    /// Common, or made of common words or of the user's own.
    #[error("This password is too easy to guess; use a few words that do not belong together.")]
    Guessable,
}

impl Password {
    /// Takes a password that somebody claims to know; only its length is bounded.
    ///
    /// # Errors
    /// When it is too long to be one.
    pub(crate) fn claimed(text: &str) -> Result<Self, WeakPassword> {
        let text: String = text.nfc().collect();
        if text.chars().count() > MAX_LENGTH {
            Err(WeakPassword::TooLong)
        } else {
            Ok(Self(text))
        }
    }

    /// Takes a password that is to be judged; only its length is checked.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub(crate) fn proposed(text: &str) -> Result<Self, WeakPassword> {
        let password = Self::claimed(text)?;
        if password.0.chars().count() < min_length() {
            return Err(WeakPassword::TooShort);
        }
        Ok(password)
    }

    /// Takes a new password: [`Self::proposed`], then [`Self::judged`].
    ///
    /// # Errors
    /// See both.
    pub(crate) fn chosen(text: &str, context: &[&str]) -> Result<Self, WeakPassword> {
        Self::proposed(text)?.judged(context)
    }

    /// Accepts it as a new password. `context` are words that a guesser of this user's password would try. It takes a core
    /// for some milliseconds: not for an async worker.
    ///
    /// # Errors
    /// When it is common, or guessed within a million tries.
    pub(crate) fn judged(self, context: &[&str]) -> Result<Self, WeakPassword> {
        if popular::is_popular(&self.0) || self.is_guessable(context) {
            Err(WeakPassword::Guessable)
        } else {
            Ok(self)
        }
    }

    fn is_guessable(&self, context: &[&str]) -> bool {
        // Whole, and word by word: the guesser of test.user's password tries both.
        let words: Vec<String> = context
            .iter()
            .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()).chain([*word]))
            .chain(WORDS_OF_THE_SYSTEM)
            .filter(|word| word.chars().count() > 2)
            .map(str::to_lowercase)
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        zxcvbn(&self.0, &words).score() < Score::Two
    }

    /// What is hashed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONTEXT: [&str; 3] = ["test.user", "Test", "Konstantinopolis"];

    #[test]
    fn common_words_and_the_users_own_are_refused() {
        for weak in [
            "password1234",
            "123456789012",
            "aaaaaaaaaaaa",
            "qwertyuiop12",
            "medtrack12345",
            "MedTrackMedTrack",
            "test.user1234",
            "konstantinopolis1",
            "iloveyou1234",
            "Encadrant2026",
            "hopital123456",
        ] {
            assert_eq!(
                Password::chosen(weak, &CONTEXT).unwrap_err(),
                WeakPassword::Guessable,
                "{weak}"
            );
        }
        for fine in [
            "SecurePass123!",
            "correct horse battery",
            "ein großer grüner Garten",
            "患者のための長い合言葉です",
        ] {
            assert!(Password::chosen(fine, &CONTEXT).is_ok(), "{fine}");
        }
    }

    #[test]
    fn the_length_is_counted_in_characters() {
        assert_eq!(
            Password::chosen("Tr0ub4dor&3", &[]).unwrap_err(),
            WeakPassword::TooShort
        );
        assert_eq!(
            Password::claimed(&"é".repeat(257)).unwrap_err(),
            WeakPassword::TooLong
        );
        assert!(Password::claimed(&"é".repeat(256)).is_ok());
    }

    #[test]
    fn two_spellings_of_one_text_are_one_password() {
        let composed = Password::claimed("caf\u{e9} au lait noir").unwrap();
        let decomposed = Password::claimed("cafe\u{301} au lait noir").unwrap();
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn choosing_never_panics(text in ".{0,300}", word in ".{0,20}") {
            let _ = Password::chosen(&text, &[&word]);
        }
    }
}
