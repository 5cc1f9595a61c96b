//! The properties of a message, as far as they can be read.

use super::wire::Cursor;
use serde_json::{Map, Value};
use std::io;

/// How deep tables and lists may be nested. A publisher may send what it likes, and reading recurses.
const DEPTH: usize = 8;

/// What a parked event needs of the properties.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Properties {
    pub(super) headers: Value,
    pub(super) message_id: Option<String>,
    pub(super) app_id: Option<String>,
}

impl Properties {
    /// Reads what stands before the first value that cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut properties = Self::default();
        // What cannot be read is missing: the body is what matters.
        let _ = properties.fill(bytes);
        properties
    }

    /// The flags say which values follow, in the order of the specification (chapter 4.2.6.1, class `basic`).
    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut cursor = Cursor(bytes);
        let flags = cursor.number(2)?;
        let has = |bit: u32| flags >> bit & 1 == 1;
        for bit in (2..16).rev().filter(|bit| has(*bit)) {
            match bit {
                13 => self.headers = table(cursor.long()?, DEPTH),
                12 | 11 => drop(cursor.number(1)?),
                7 => self.message_id = Some(cursor.short()?),
                6 => drop(cursor.number(8)?),
                3 => self.app_id = Some(cursor.short()?),
                _ => drop(cursor.short()?),
            }
        }
        Ok(())
    }
}

/// Names and values of a table, up to the first that cannot be read.
fn table(bytes: &[u8], depth: usize) -> Value {
    let (mut cursor, mut table) = (Cursor(bytes), Map::new());
    while let Ok(name) = cursor.short()
        && let Ok(value) = value(&mut cursor, depth)
    {
        table.insert(name, value);
    }
    Value::Object(table)
}

fn list(bytes: &[u8], depth: usize) -> Value {
    let (mut cursor, mut list) = (Cursor(bytes), Vec::new());
    while let Ok(value) = value(&mut cursor, depth) {
        list.push(value);
    }
    Value::Array(list)
}

/// A value after the letter of its type, as RabbitMQ writes them (RabbitMQ's documentation, "AMQP 0-9-1 Errata").
fn value(cursor: &mut Cursor<'_>, depth: usize) -> io::Result<Value> {
    let kind = cursor.number(1)?;
    let size = match u8::try_from(kind).unwrap_or_default() {
        b'S' | b'x' => return Ok(String::from_utf8_lossy(cursor.long()?).into()),
        b'F' | b'A' if depth == 0 => return cursor.long().map(|_| Value::Null),
        b'F' => return Ok(table(cursor.long()?, depth - 1)),
        b'A' => return Ok(list(cursor.long()?, depth - 1)),
        b'V' => 0,
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'd' | b'T' => 8,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    Ok(cursor.number(size)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn short(text: &[u8]) -> Vec<u8> {
        [&[text.len() as u8][..], text].concat()
    }

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
    }

    fn of_headers(headers: &[u8]) -> Value {
        let flags = 1_u16 << 13;
        Properties::read(&[&flags.to_be_bytes()[..], &long(headers)].concat()).headers
    }

    #[test]
    fn a_name_that_is_not_utf8_hides_nothing_else() {
        let count = [&short(b"x-delivery-count")[..], b"l", &7_i64.to_be_bytes()].concat();
        let odd = [&short(b"\xff")[..], b"S", &long(b"odd")].concat();
        assert_eq!(
            of_headers(&[odd, count].concat()),
            json!({"\u{fffd}": "odd", "x-delivery-count": 7})
        );
    }

    #[test]
    fn an_unknown_type_ends_the_table_and_not_the_message() {
        let good = [&short(b"good")[..], b"I", &5_i32.to_be_bytes()].concat();
        let unknown = [&short(b"odd")[..], b"?"].concat();
        let headers = long(&[good, unknown].concat());
        let flags = 1_u16 << 13 | 1 << 7 | 1 << 3;
        let bytes = [
            &flags.to_be_bytes()[..],
            &headers,
            &short(b"an id"),
            &short(b"an app"),
        ];
        assert_eq!(
            Properties::read(&bytes.concat()),
            Properties {
                headers: json!({"good": 5}),
                message_id: Some("an id".into()),
                app_id: Some("an app".into()),
            }
        );
    }

    #[test]
    fn tables_that_are_nested_without_end_end() {
        let mut inner = Vec::new();
        for _ in 0..5_000 {
            inner = [&short(b"a")[..], b"F", &long(&inner)].concat();
        }
        assert!(of_headers(&inner).to_string().len() < 100);
    }

    #[test]
    fn what_is_cut_off_is_missing() {
        for bytes in [&b""[..], b"\xff", b"\xff\xff", b"\x20\x00\x00\x00\x00\x09"] {
            assert_eq!(Properties::read(bytes), Properties::default());
        }
    }
}
