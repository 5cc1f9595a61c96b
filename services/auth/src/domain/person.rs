//! The name, the telephone number and the language of a user.

/// A first or last name; empty when not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PersonName(String);

/// A telephone number, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phone(String);

/// A language that texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Locale {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// Arabic.
    Arabic,
}

impl PersonName {
    /// The most characters of a name.
    pub(crate) const MAX_LENGTH: usize = 120;

    /// Reads a name; white space around it is dropped.
    ///
    /// # Errors
    /// When it has too many characters or a control character.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(format!("Use at most {} characters.", Self::MAX_LENGTH));
        }
        if text.chars().any(char::is_control) {
            return Err("Must not contain control characters.".into());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name without white space around it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Phone {
    /// The most characters of a number.
    pub(crate) const MAX_LENGTH: usize = 30;

    /// Reads a number; an empty text is none.
    ///
    /// # Errors
    /// When it has too many characters, or others than digits, spaces and `+ - . / ( )`.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, String> {
        let text = text.trim();
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(format!("Use at most {} characters.", Self::MAX_LENGTH));
        }
        if !text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-./() ".contains(c))
        {
            return Err("Use digits, spaces and + - . / ( ) only.".into());
        }
        Ok((!text.is_empty()).then(|| Self(text.to_owned())))
    }

    /// The number as the user wrote it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Locale {
    /// All languages.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::French, Self::Arabic];

    /// Reads a language code.
    ///
    /// # Errors
    /// When there are no texts in that language.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "en" => Ok(Self::English),
            "fr" => Ok(Self::French),
            "ar" => Ok(Self::Arabic),
            _ => Err("Use one of: en, fr, ar."),
        }
    }

    /// The code of ISO 639-1.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Arabic => "ar",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(PersonName::parse("  Zoë ").unwrap().as_str(), "Zoë");
        assert!(PersonName::parse(&"é".repeat(120)).is_ok());
        assert!(PersonName::parse(&"é".repeat(121)).is_err());
        assert!(PersonName::parse("a\nb").is_err());
    }

    #[test]
    fn an_empty_phone_is_none() {
        assert_eq!(Phone::parse(" "), Ok(None));
        assert_eq!(
            Phone::parse("+33 (6) 12.34").unwrap().unwrap().as_str(),
            "+33 (6) 12.34"
        );
        assert!(Phone::parse("call me").is_err());
    }
}
