//! How values are read from the fields of a body, and how the OpenAPI document describes them. An empty text is none.

use chrono::{Datelike as _, NaiveDate, Utc};
use service_kit::http::body::{JsonObject, OptionalNumber, Text, text_schema};
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

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
