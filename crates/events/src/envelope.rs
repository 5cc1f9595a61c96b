//! The wire form of every event: `{"payload": {…}, "_meta": {…}}`.
//!
//! Writers are strict: [`encode`] refuses a payload that is too large. Readers are tolerant: unknown fields
//! are ignored, and a foreign publisher that sends only the three `_meta` fields of the original system
//! (`timestamp`, `routing_key`, `source`) is understood. Reading never fails in another way: every message is
//! either an [`Envelope`] or a [`Refusal`] with a reason.
//!
//! The module [`meta`](crate::meta) holds the facts beside the payload, and the rules of ids and times.

use crate::{
    Event, MAX_BODY_BYTES, MAX_PAYLOAD_BYTES, Meta, RawMessage, meta::WireMeta,
    wrong_field::wrong_field,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Writes the wire form of an event.
///
/// # Errors
/// [`TooLarge`] when the payload's JSON has more than [`MAX_PAYLOAD_BYTES`] bytes.
pub fn encode<E: Event>(meta: &Meta, payload: &E) -> Result<String, TooLarge> {
    #[derive(Serialize)]
    struct Wire<'a> {
        payload: &'a RawValue,
        _meta: &'a Meta,
    }
    let json = "the types of this crate have string keys and no failing serializers";
    let payload = serde_json::value::to_raw_value(payload).expect(json);
    let bytes = payload.get().len();
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(TooLarge { key: E::KEY, bytes });
    }
    Ok(serde_json::to_string(&Wire {
        payload: &payload,
        _meta: meta,
    })
    .expect(json))
}

/// The payload is larger than the contract allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "the payload of {key} has {bytes} bytes, more than the {MAX_PAYLOAD_BYTES} allowed; put less into the event"
)]
pub struct TooLarge {
    /// The routing key of the event.
    pub key: &'static str,
    /// The size of its payload, in bytes of JSON.
    pub bytes: usize,
}

/// An event whose payload is not read yet: only a handler knows its type.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// The facts about the event.
    pub meta: Meta,
    pub(crate) payload: &'a RawValue,
}

impl<'a> Envelope<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// A [`Refusal`] that says why this message cannot be an event of ours.
    pub fn decode(raw: &RawMessage<'a>) -> Result<Self, Refusal> {
        let wire: Wire<'a> = read(raw.body)?;
        if !wire.payload.get().starts_with('{') {
            return Err(Refusal::new(
                "bad_payload",
                "the payload is not a JSON object",
            ));
        }
        let meta = wire.meta.complete(raw)?;
        Ok(Self {
            meta,
            payload: wire.payload,
        })
    }

    /// Reads the payload as the event that the routing key names.
    ///
    /// # Errors
    /// A [`Refusal`] that names the field.
    pub fn payload<E: Event>(&self) -> Result<E, Refusal> {
        if self.meta.schema_version > E::SCHEMA_VERSION {
            let reason = format!(
                "schema_version {} of {} is newer than {}, the newest that this service reads; upgrade this service, then replay",
                self.meta.schema_version,
                E::KEY,
                E::SCHEMA_VERSION
            );
            return Err(Refusal::new("schema_version", reason));
        }
        let json = self.payload.get();
        serde_json::from_str(json).map_err(|_| Refusal::new("bad_payload", wrong_field::<E>(json)))
    }

    /// Reads some fields of the payload, whatever event it is. `None`: one of them has another form.
    pub fn fields<T: Deserialize<'a>>(&self) -> Option<T> {
        serde_json::from_str(self.payload.get()).ok()
    }
}

/// Reads a body as a JSON object of the envelope's form.
pub(crate) fn read<'a, W: Deserialize<'a>>(body: &'a [u8]) -> Result<W, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new("empty", "the body is empty"));
    }
    if body.len() > MAX_BODY_BYTES {
        let reason = format!(
            "the body has {} bytes, more than the {MAX_BODY_BYTES} allowed",
            body.len()
        );
        return Err(Refusal::new("too_large", reason));
    }
    let text = std::str::from_utf8(body)
        .map_err(|error| Refusal::new("not_utf8", format!("not UTF-8: {error}")))?;
    let wire = serde_json::from_str(text).map_err(|error| {
        if error.is_data() {
            let cause = wrong_field::<W>(text);
            Refusal::new("not_an_envelope", format!("no payload and _meta: {cause}"))
        } else {
            Refusal::new("not_json", format!("not JSON: {error}"))
        }
    })?;
    // serde also reads a struct from an array.
    if !text.trim_start().starts_with('{') {
        return Err(Refusal::new(
            "not_an_envelope",
            "the body is JSON, but not an object",
        ));
    }
    Ok(wire)
}

/// The reason why a message can never be handled.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// One word, safe for logs and metrics.
    pub kind: &'static str,
    /// For a person. It may quote the message, so it is stored in the parked event and never logged.
    pub reason: String,
}

impl Refusal {
    pub(crate) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: reason.into(),
        }
    }
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
    #[serde(borrow, rename = "_meta")]
    meta: WireMeta<'a>,
}
