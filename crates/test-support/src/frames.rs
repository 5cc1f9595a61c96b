//! Frames and methods of AMQP 0-9-1 (the specification, chapters 2.3 and 4.2), as far as tests need them.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a client sends first.
pub(crate) const PROTOCOL: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xCE;

/// Class and method ids.
pub(crate) type Method = (u16, u16);
pub(crate) const START: Method = (10, 10);
pub(crate) const START_OK: Method = (10, 11);
pub(crate) const TUNE: Method = (10, 30);
pub(crate) const TUNE_OK: Method = (10, 31);
pub(crate) const OPEN: Method = (10, 40);
pub(crate) const OPEN_OK: Method = (10, 41);
pub(crate) const BLOCKED: Method = (10, 60);
pub(crate) const UNBLOCKED: Method = (10, 61);
pub(crate) const CHANNEL_OPEN: Method = (20, 10);
pub(crate) const CHANNEL_OPEN_OK: Method = (20, 11);
pub(crate) const CHANNEL_CLOSE: Method = (20, 40);
pub(crate) const CHANNEL_CLOSE_OK: Method = (20, 41);
pub(crate) const EXCHANGE_DECLARE: Method = (40, 10);
pub(crate) const QUEUE_DECLARE: Method = (50, 10);
pub(crate) const CONSUME_OK: Method = (60, 21);
pub(crate) const CANCEL: Method = (60, 30);
pub(crate) const PUBLISH: Method = (60, 40);
pub(crate) const ACK: Method = (60, 80);
pub(crate) const CONFIRM_SELECT: Method = (85, 10);
pub(crate) const CONFIRM_SELECT_OK: Method = (85, 11);

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn method(channel: u16, (class, id): Method, arguments: &[u8]) -> Self {
        let payload = [&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat();
        Self {
            kind: METHOD,
            channel,
            payload,
        }
    }

    pub(crate) fn heartbeat() -> Self {
        Self {
            kind: HEARTBEAT,
            channel: 0,
            payload: Vec::new(),
        }
    }

    /// Whether it is this method.
    pub(crate) fn is(&self, (class, id): Method) -> bool {
        let ids = [class.to_be_bytes(), id.to_be_bytes()].concat();
        self.kind == METHOD && self.payload.starts_with(&ids)
    }

    /// What follows the ids of its method.
    pub(crate) fn arguments(&self) -> &[u8] {
        self.payload.get(4..).unwrap_or_default()
    }

    pub(crate) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let kind = from.read_u8().await?;
        let channel = from.read_u16().await?;
        let mut payload = vec![0; from.read_u32().await? as usize];
        from.read_exact(&mut payload).await?;
        let _end = from.read_u8().await?;
        Ok(Self {
            kind,
            channel,
            payload,
        })
    }

    pub(crate) async fn write(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let size = u32::try_from(self.payload.len())
            .expect("frames here are small")
            .to_be_bytes();
        let frame = [
            &[self.kind][..],
            &self.channel.to_be_bytes(),
            &size,
            &self.payload,
            &[FRAME_END],
        ]
        .concat();
        to.write_all(&frame).await
    }
}

/// A text with its length in one byte.
pub(crate) fn short(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short string has at most 255 bytes");
    [&[length][..], text].concat()
}

/// Bytes with their length in four bytes.
pub(crate) fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("long strings here are short");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// Splits off a text with its length in one byte.
pub(crate) fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// Splits off bytes with their length in four bytes.
pub(crate) fn split_long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}
