//! AMQP 0-9-1 by hand, for what no client library lets through: a routing key or a header's name that is not UTF-8.

use crate::{
    frames::{
        ACK, BODY, CHANNEL_OPEN, CHANNEL_OPEN_OK, CONFIRM_SELECT, CONFIRM_SELECT_OK, Frame, HEADER,
        Method, OPEN, OPEN_OK, PROTOCOL, PUBLISH, START, START_OK, TUNE, TUNE_OK, long, short,
    },
    servers,
};
use events::topology::EXCHANGE;
use std::io;
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Publishes one persistent message under a key of any bytes; returns when the broker has confirmed it.
///
/// # Panics
/// When the broker does not take it.
pub async fn publish(amqp_url: &str, routing_key: &[u8], body: &[u8]) {
    // One property: delivery_mode 2.
    try_publish(amqp_url, routing_key, &[0x10, 0x00, 2], body)
        .await
        .expect("RabbitMQ takes a key of any bytes");
}

/// Publishes one persistent message with a header whose name may be of any bytes; returns when the broker has confirmed
/// it.
///
/// # Panics
/// When the broker does not take it.
pub async fn publish_with_header(amqp_url: &str, routing_key: &str, name: &[u8], body: &[u8]) {
    let table = [&short(name)[..], b"S", &long(b"a value")].concat();
    // Two properties: headers, and delivery_mode 2.
    let properties = [&[0x30, 0x00][..], &long(&table), &[2]].concat();
    try_publish(amqp_url, routing_key.as_bytes(), &properties, body)
        .await
        .expect("RabbitMQ takes a header of any name");
}

async fn try_publish(
    amqp_url: &str,
    routing_key: &[u8],
    properties: &[u8],
    body: &[u8],
) -> io::Result<()> {
    let url = servers::parse(amqp_url);
    let login = format!(
        "\0{}\0{}",
        url.username(),
        url.password().unwrap_or_default()
    );
    let mut stream = TcpStream::connect(servers::address_of(amqp_url)).await?;
    stream.write_all(&PROTOCOL).await?;

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
    // Class basic, weight 0.
    let header = [&[0, 60, 0, 0][..], &size, properties].concat();
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
    Frame::method(channel, method, arguments)
        .write(stream)
        .await
}

async fn frame(stream: &mut TcpStream, kind: u8, channel: u16, payload: &[u8]) -> io::Result<()> {
    let payload = payload.to_vec();
    let frame = Frame {
        kind,
        channel,
        payload,
    };
    frame.write(stream).await
}

/// Reads the next frame; it must be this method.
async fn expect(stream: &mut TcpStream, method: Method) -> io::Result<()> {
    let frame = Frame::read(stream).await?;
    if frame.is(method) {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "wanted method {method:?}, got {:?}",
            String::from_utf8_lossy(&frame.payload)
        )))
    }
}
