//! Parts of a list that follow a notification.

use super::{notifications::Notification, view::View};
use crate::store::notifications::{self, Cursor};
use chrono::DateTime;
use serde::Serialize;
use service_kit::http::body::Text;
use utoipa::ToSchema;
use uuid::Uuid;

/// The beginning of the list.
const NEWEST: &str = "newest";

/// Where a part begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct At(pub(super) Cursor);

/// A part of the list.
#[derive(Serialize, ToSchema)]
pub(super) struct PageAfter {
    data: Vec<Notification>,
    /// The `cursor` of the next part; null at the end of the list.
    next_cursor: Option<String>,
}

impl PageAfter {
    /// Takes one row more than the part may have, when there is one.
    pub(super) fn new(mut rows: Vec<notifications::Notification>, limit: i64, view: &View) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        Self {
            next_cursor: last.map(|row| write(row.happened_at.timestamp_micros(), row.id)),
            data: rows.into_iter().map(|row| view.show(row)).collect(),
        }
    }
}

fn write(micros: i64, id: Uuid) -> String {
    format!("{micros}_{}", id.simple())
}

impl Text for At {
    type Refusal = &'static str;

    fn parse(text: &str) -> Result<Self, &'static str> {
        const REFUSAL: &str = "Use newest, or the next_cursor of a response.";
        if text == NEWEST {
            return Ok(Self(Cursor::newest()));
        }
        let (micros, id) = text.split_once('_').ok_or(REFUSAL)?;
        let micros = micros.parse().map_err(|_| REFUSAL)?;
        let at = DateTime::from_timestamp_micros(micros).ok_or(REFUSAL)?;
        let id = id.parse().map_err(|_| REFUSAL)?;
        Ok(Self(Cursor { at, id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written() {
        let id = Uuid::now_v7();
        let At(cursor) = At::parse(&write(1_764_156_234_123_456, id)).unwrap();
        assert_eq!(
            (cursor.at.timestamp_micros(), cursor.id),
            (1_764_156_234_123_456, id)
        );
        assert_eq!(At::parse("newest").unwrap().0, Cursor::newest());
        for other in ["", "1", "_", "x_y", "1_x", "99999999999999999999_0"] {
            assert!(At::parse(other).is_err(), "{other}");
        }
    }
}
