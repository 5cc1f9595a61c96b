//! E-mail addresses.

use email_address::{EmailAddress, Options};
use std::fmt;

/// An e-mail address in lower case. `Debug` does not show it: it is personal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("Enter a valid e-mail address, such as name@example.com.")]
pub(crate) struct NotAnEmail;

impl Email {
    /// The most bytes of an address (RFC 5321).
    pub(crate) const MAX_LENGTH: usize = 254;

    /// Reads an address; white space around it is dropped, and letters are made small.
    ///
    /// # Errors
    /// When it is not an address, or too long.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim().to_lowercase();
        let options = Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        let plain = text.len() <= Self::MAX_LENGTH
            && !text.contains(['"', '\\'])
            && !text.chars().any(char::is_control);
        match EmailAddress::parse_with_options(&text, options) {
            Ok(_) if plain => Ok(Self(text)),
            _ => Err(NotAnEmail),
        }
    }

    /// The address.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub(crate) fn local_part(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_trimmed_and_lowered() {
        assert_eq!(
            Email::parse(" John.Doe@Example.COM ").unwrap().as_str(),
            "john.doe@example.com"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "x".repeat(250));
        for bad in [
            "",
            "john",
            "john@",
            "@example.com",
            "john@example",
            "a b@example.com",
            "a@b@example.com",
            "John <john@example.com>",
            "john@[127.0.0.1]",
            "john@example.com\0",
            "\"a b\"@example.com",
            &long,
        ] {
            assert_eq!(Email::parse(bad), Err(NotAnEmail), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_is_stable(text in ".{0,80}") {
            if let Ok(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Ok(email));
            }
        }

        #[test]
        fn plain_addresses_are_read(local in "[a-z][a-z0-9._]{0,10}[a-z0-9]", host in "[a-z]{1,12}\\.[a-z]{2,6}") {
            prop_assume!(!local.contains(".."));
            let text = format!("{local}@{host}");
            prop_assert!(Email::parse(&text).is_ok(), "{}", text);
        }
    }
}
