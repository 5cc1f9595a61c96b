//! How values are read from the fields of a body, and how the OpenAPI document describes them. An empty text is none.

use chrono::{Datelike as _, NaiveDate, Utc};
use service_kit::http::body::{JsonObject, OptionalNumber, Text, text_schema};
use std::fmt;
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

/// An address to log in with, in lower case; auth-service reads it once more.
#[derive(Debug)]
pub(super) struct EmailText(pub(super) String);

/// A password for auth-service.
pub(super) struct Password(String);

impl Password {
    /// The text; an empty one is none.
    pub(super) fn reveal(self) -> Option<String> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Text for Password {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().count() > 256 {
            return Err("Use at most 256 characters.");
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> ObjectBuilder {
        text_schema()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .max_length(Some(256))
    }
}

impl Text for EmailText {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("This field is required.");
        }
        if text.len() > 254 {
            return Err("Use at most 254 characters.");
        }
        Ok(Self(text.to_lowercase()))
    }

    fn schema() -> ObjectBuilder {
        text_schema()
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Email)))
            .max_length(Some(254))
    }
}

/// A calendar date of a living person's birth.
#[derive(Debug)]
pub(super) struct BirthDate(pub(super) Option<NaiveDate>);

/// A year of study.
pub(super) type YearLevel = OptionalNumber<1, LAST_YEAR>;

/// An object that clients store.
pub(super) type Metadata = JsonObject<4096>;

/// The last year of study: seven years of medicine, and five of a speciality.
pub(super) const LAST_YEAR: i32 = 12;

impl Text for BirthDate {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        let date: NaiveDate = text
            .parse()
            .map_err(|_| "Must be a date such as 2003-04-21.")?;
        if date.year() < 1900 || date > Utc::now().date_naive() {
            return Err("Must be a date from 1900-01-01 to today.");
        }
        Ok(Self(Some(date)))
    }

    fn schema() -> ObjectBuilder {
        text_schema().format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
    }
}
