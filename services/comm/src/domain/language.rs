//! The languages that users read.

/// A language that all texts exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// Arabic, from right to left.
    Arabic,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::French, Self::Arabic];

    /// The language with this code of ISO 639-1.
    pub(crate) fn of(code: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|language| language.code() == code)
    }

    /// The code of ISO 639-1.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Arabic => "ar",
        }
    }

    /// The language that an `Accept-Language` likes best. A region does not count: `fr-DZ` is French.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',') {
            let mut parameters = range.split(';').map(str::trim);
            let tag = parameters.next().unwrap_or_default().to_ascii_lowercase();
            let Some(language) = tag.split('-').next().and_then(Self::of) else {
                continue;
            };
            let quality = parameters.find_map(|parameter| {
                let value = parameter.strip_prefix("q=")?;
                Some(value.parse().unwrap_or(0.0))
            });
            let quality: f32 = quality.unwrap_or(1.0);
            if quality > best.map_or(0.0, |(best, _)| best) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }

    /// The plural categories of Unicode's CLDR that whole numbers have in this language.
    #[cfg(test)]
    pub(crate) const fn categories(self) -> &'static [&'static str] {
        match self {
            Self::English => &["one", "other"],
            Self::French => &["one", "many", "other"],
            Self::Arabic => &["zero", "one", "two", "few", "many", "other"],
        }
    }

    /// The plural category of a whole number.
    pub(crate) const fn category(self, number: u64) -> &'static str {
        match (self, number, number % 100) {
            (Self::English | Self::Arabic, 1, _) | (Self::French, 0 | 1, _) => "one",
            (Self::French, _, _) if number.is_multiple_of(1_000_000) => "many",
            (Self::Arabic, 0, _) => "zero",
            (Self::Arabic, 2, _) => "two",
            (Self::Arabic, _, 3..=10) => "few",
            (Self::Arabic, _, 11..=99) => "many",
            (Self::English | Self::French | Self::Arabic, _, _) => "other",
        }
    }

    /// What stands between the thousands of a number. French has a narrow no-break space there.
    pub(crate) const fn separator(self) -> char {
        match self {
            Self::English | Self::Arabic => ',',
            Self::French => '\u{202f}',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English, French};

    #[test]
    fn the_best_language_of_the_header_is_taken() {
        for (header, language) in [
            ("fr", Some(French)),
            ("fr-DZ, en;q=0.8", Some(French)),
            ("en;q=0.5, AR-dz ; q=0.9", Some(Arabic)),
            ("de, *;q=0.1", None),
            ("de-CH, en;q=0.2", Some(English)),
            ("fr, ar", Some(French)),
            ("fr;q=0, ar;q=0.1", Some(Arabic)),
            ("fr;q=nonsense, en;q=0.1", Some(English)),
            ("fr;q=NaN", None),
            ("french", None),
            ("", None),
            (";q=1,,-", None),
        ] {
            assert_eq!(Language::accepted(header), language, "{header:?}");
        }
    }

    /// The samples of CLDR.
    #[test]
    fn numbers_have_the_categories_of_each_language() {
        let samples: [(Language, &str, &[u64]); 11] = [
            (English, "one", &[1]),
            (English, "other", &[0, 2, 3, 11, 21, 100, 101, 1_000_000]),
            (French, "one", &[0, 1]),
            (French, "many", &[1_000_000, 2_000_000]),
            (French, "other", &[2, 3, 11, 100, 101, 1_000_001]),
            (Arabic, "zero", &[0]),
            (Arabic, "one", &[1]),
            (Arabic, "two", &[2]),
            (Arabic, "few", &[3, 10, 103, 110, 1003]),
            (Arabic, "many", &[11, 26, 99, 111, 199, 1011]),
            (Arabic, "other", &[100, 101, 102, 200, 202, 1000, 1_000_000]),
        ];
        for (language, category, numbers) in samples {
            assert!(language.categories().contains(&category));
            for number in numbers {
                assert_eq!(
                    language.category(*number),
                    category,
                    "{language:?} {number}"
                );
            }
        }
    }
}
