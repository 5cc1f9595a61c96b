//! AMQP 0-9-1 by hand, for what no client library lets through: a routing key that is not UTF-8.
//!
//! Frames and methods are those of the specification's chapter 4.2; only what one confirmed publish needs.

use crate::servers;
use events::topology::EXCHANGE;
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;

/// Class and method ids.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const CONFIRM_SELECT: Method = (85, 10);
const CONFIRM_SELECT_OK: Method = (85, 11);
const PUBLISH: Method = (60, 40);
const ACK: Method = (60, 80);

/// Publishes one persistent message under a key of any bytes; returns when the broker has confirmed it.
///
/// # Panics
/// When the broker does not take it.
pub async fn publish(amqp_url: &str, routing_key: &[u8], body: &[u8]) {
    try_publish(amqp_url, routing_key, body)
        .await
        .expect("RabbitMQ takes a key of any bytes");
}

async fn try_publish(amqp_url: &str, routing_key: &[u8], body: &[u8]) -> io::Result<()> {
    let url = servers::parse(amqp_url);
    let login = format!(
        "\0{}\0{}",
        url.username(),
        url.password().unwrap_or_default()
    );
    let mut stream = TcpStream::connect(servers::address_of(amqp_url)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;

    expect(&mut stream, START).await?;
    let no_properties = 0_u32.to_be_bytes();
    let arguments = [
        &no_properties[..],
        &short(b"PLAIN"),
        &long(login.as_bytes()),
        &short(b"en_US"),
    ]
    .concat();
    send(&mut stream, 0, START_OK, &arguments).await?;
    expect(&mut stream, TUNE).await?;
    // One channel, frames of 128 KiB, no heartbeat.
    send(&mut stream, 0, TUNE_OK, &[0, 1, 0, 2, 0, 0, 0, 0]).await?;
    let vhost = short(url.path().trim_start_matches('/').as_bytes());
    send(&mut stream, 0, OPEN, &[&vhost[..], &[0, 0]].concat()).await?;
    expect(&mut stream, OPEN_OK).await?;
    send(&mut stream, 1, CHANNEL_OPEN, &[0]).await?;
    expect(&mut stream, CHANNEL_OPEN_OK).await?;
    send(&mut stream, 1, CONFIRM_SELECT, &[0]).await?;
    expect(&mut stream, CONFIRM_SELECT_OK).await?;

    let arguments = [
        &[0, 0][..],
        &short(EXCHANGE.as_bytes()),
        &short(routing_key),
        &[0],
    ]
    .concat();
    send(&mut stream, 1, PUBLISH, &arguments).await?;
    let size = u64::try_from(body.len())
        .expect("usize fits u64")
        .to_be_bytes();
    // Class basic, weight 0, the size, one property: delivery_mode 2.
    let header = [&[0, 60, 0, 0][..], &size, &[0x10, 0x00, 2]].concat();
    frame(&mut stream, HEADER, 1, &header).await?;
    frame(&mut stream, BODY, 1, body).await?;
    expect(&mut stream, ACK).await
}

async fn send(
    stream: &mut TcpStream,
    channel: u16,
    method: Method,
    arguments: &[u8],
) -> io::Result<()> {
    let (class, id) = method;
    frame(
        stream,
        METHOD,
        channel,
        &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat(),
    )
    .await
}

async fn frame(stream: &mut TcpStream, kind: u8, channel: u16, payload: &[u8]) -> io::Result<()> {
    let size = u32::try_from(payload.len())
        .expect("frames here are small")
        .to_be_bytes();
    let frame = [
        &[kind][..],
        &channel.to_be_bytes(),
        &size,
        payload,
        &[FRAME_END],
    ]
    .concat();
    stream.write_all(&frame).await
}

/// Reads the next frame; it must be this method.
async fn expect(stream: &mut TcpStream, method: Method) -> io::Result<()> {
    let _kind = stream.read_u8().await?;
    let _channel = stream.read_u16().await?;
    let mut payload = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut payload).await?;
    let _end = stream.read_u8().await?;
    let (class, id) = method;
    let wanted = [class.to_be_bytes(), id.to_be_bytes()].concat();
    if payload.starts_with(&wanted) {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "wanted method {method:?}, got {:?}",
            String::from_utf8_lossy(&payload)
        )))
    }
}

fn short(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short string has at most 255 bytes");
    [&[length][..], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a login is short");
    [&length.to_be_bytes()[..], text].concat()
}
