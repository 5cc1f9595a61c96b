//! Takes messages from a queue as bytes. lapin ends the connection at a message with a property that it cannot read, so
//! it never gets past such a message; here only the frame is read, and the properties are left to the caller.
//!
//! Frames and methods are those of AMQP 0-9-1 (the specification, chapters 2.3 and 4.2).

use lapin::uri::AMQPUri;
use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

const PROTOCOL: &[u8] = b"AMQP\x00\x00\x09\x01";
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xCE;

/// Class and method ids.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CLOSE: Method = (10, 50);
const CLOSE_OK: Method = (10, 51);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CHANNEL_CLOSE: Method = (20, 40);
const GET: Method = (60, 70);
const GET_OK: Method = (60, 71);
const GET_EMPTY: Method = (60, 72);
const ACK: Method = (60, 80);

/// The channel of everything that concerns messages; what concerns the connection has channel 0.
const CHANNEL: u16 = 1;

/// A connection with one channel.
pub(super) struct Wire {
    stream: BufReader<TcpStream>,
}

/// A message, unread.
pub(super) struct Taken {
    pub(super) delivery_tag: u64,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    /// Flags and values, as they came.
    pub(super) properties: Vec<u8>,
    pub(super) body: Vec<u8>,
}

struct Frame {
    kind: u8,
    payload: Vec<u8>,
}

impl Wire {
    pub(super) async fn open(uri: &AMQPUri) -> io::Result<Self> {
        let authority = &uri.authority;
        let stream = TcpStream::connect((authority.host.as_str(), authority.port)).await?;
        let mut wire = Self {
            stream: BufReader::new(stream),
        };
        wire.stream.write_all(PROTOCOL).await?;
        wire.reply(&[START]).await?;
        let login = &authority.userinfo;
        let login = format!("\0{}\0{}", login.username, login.password);
        let no_properties = long(b"");
        let start = [
            &no_properties[..],
            &short("PLAIN"),
            &long(login.as_bytes()),
            &short("en_US"),
        ];
        wire.send(0, START_OK, &start.concat()).await?;
        let (_, limits) = wire.reply(&[TUNE]).await?;
        // The broker's own limits, without heartbeats: the connection lasts for some calls only.
        let limits = limits.get(..6).ok_or_else(malformed)?;
        wire.send(0, TUNE_OK, &[limits, &[0, 0]].concat()).await?;
        let vhost = [&short(&uri.vhost)[..], &[0, 0]].concat();
        wire.send(0, OPEN, &vhost).await?;
        wire.reply(&[OPEN_OK]).await?;
        wire.send(CHANNEL, CHANNEL_OPEN, &[0]).await?;
        wire.reply(&[CHANNEL_OPEN_OK]).await?;
        Ok(wire)
    }

    /// Takes the first message of a queue. It goes back to the queue when the connection ends before it is acknowledged.
    pub(super) async fn get(&mut self, queue: &str) -> io::Result<Option<Taken>> {
        let get = [&[0, 0][..], &short(queue), &[0]].concat();
        self.send(CHANNEL, GET, &get).await?;
        let (method, arguments) = self.reply(&[GET_OK, GET_EMPTY]).await?;
        if method == GET_EMPTY {
            return Ok(None);
        }
        let mut arguments = Cursor(&arguments);
        let delivery_tag = arguments.number(8)?;
        let _redelivered = arguments.number(1)?;
        let exchange = arguments.short()?;
        let routing_key = arguments.short()?;

        let header = self.frame(HEADER).await?;
        let mut header = Cursor(&header);
        let _class_and_weight = header.number(4)?;
        let size = usize::try_from(header.number(8)?).map_err(io::Error::other)?;
        let properties = header.0.to_vec();
        let mut body = Vec::new();
        while body.len() < size {
            body.extend(self.frame(BODY).await?);
        }
        Ok(Some(Taken {
            delivery_tag,
            exchange,
            routing_key,
            properties,
            body,
        }))
    }

    pub(super) async fn ack(&mut self, delivery_tag: u64) -> io::Result<()> {
        let ack = [&delivery_tag.to_be_bytes()[..], &[0]].concat();
        self.send(CHANNEL, ACK, &ack).await
    }

    /// Closes the connection. Afterwards the broker has read every acknowledgement.
    pub(super) async fn close(mut self) -> io::Result<()> {
        let close = [&200_u16.to_be_bytes()[..], &short("done"), &[0; 4]].concat();
        self.send(0, CLOSE, &close).await?;
        self.reply(&[CLOSE_OK]).await.map(drop)
    }

    async fn send(
        &mut self,
        channel: u16,
        (class, id): Method,
        arguments: &[u8],
    ) -> io::Result<()> {
        let ids = [class.to_be_bytes(), id.to_be_bytes()].concat();
        let payload = [&ids, arguments].concat();
        let size = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let frame = [
            &[METHOD][..],
            &channel.to_be_bytes(),
            &size.to_be_bytes(),
            &payload,
            &[FRAME_END],
        ];
        self.stream.write_all(&frame.concat()).await
    }

    /// Reads a method with its arguments. Any other than the wanted ones is how the broker refuses.
    async fn reply(&mut self, wanted: &[Method]) -> io::Result<(Method, Vec<u8>)> {
        let mut payload = self.frame(METHOD).await?;
        let mut cursor = Cursor(&payload);
        let ids = (cursor.number(2)?, cursor.number(2)?);
        let is_it = |method: &&Method| (u64::from(method.0), u64::from(method.1)) == ids;
        if let Some(method) = wanted.iter().find(is_it) {
            return Ok((*method, payload.split_off(4)));
        }
        if [CLOSE, CHANNEL_CLOSE].iter().any(|method| is_it(&method)) {
            let _code = cursor.number(2)?;
            return Err(io::Error::other(cursor.short()?));
        }
        Err(malformed())
    }

    /// Reads a frame of this kind, past heartbeats.
    async fn frame(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        loop {
            let frame = self.any_frame().await?;
            if frame.kind == kind {
                return Ok(frame.payload);
            }
            if frame.kind != HEARTBEAT {
                return Err(malformed());
            }
        }
    }

    async fn any_frame(&mut self) -> io::Result<Frame> {
        let kind = self.stream.read_u8().await?;
        let _channel = self.stream.read_u16().await?;
        let mut payload = vec![0; self.stream.read_u32().await? as usize];
        self.stream.read_exact(&mut payload).await?;
        let _end = self.stream.read_u8().await?;
        Ok(Frame { kind, payload })
    }
}

fn malformed() -> io::Error {
    io::Error::other("the broker's reply is not as AMQP 0-9-1 has it")
}

/// What is left to read.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn bytes(&mut self, size: usize) -> io::Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(size).ok_or_else(malformed)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A number of so many bytes.
    pub(super) fn number(&mut self, size: usize) -> io::Result<u64> {
        let bytes = self.bytes(size)?;
        Ok(bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A text with its length in one byte. Bytes that are not UTF-8 are replaced.
    pub(super) fn short(&mut self) -> io::Result<String> {
        let size = self.bytes(1)?[0];
        Ok(String::from_utf8_lossy(self.bytes(size.into())?).into_owned())
    }

    /// Bytes with their length in four bytes.
    pub(super) fn long(&mut self) -> io::Result<&'a [u8]> {
        let size = usize::try_from(self.number(4)?).map_err(io::Error::other)?;
        self.bytes(size)
    }
}

/// A text with its length in one byte. Those here are names, which AMQP limits to 255 bytes.
fn short(text: &str) -> Vec<u8> {
    let text = &text.as_bytes()[..text.len().min(usize::from(u8::MAX))];
    [&[text.len() as u8][..], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}
