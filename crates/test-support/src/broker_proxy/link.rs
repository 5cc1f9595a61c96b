//! One connection through the proxy.

use super::{Shared, State};
use crate::frames::{
    BLOCKED, CANCEL, CHANNEL_CLOSE, CHANNEL_CLOSE_OK, CONSUME_OK, EXCHANGE_DECLARE, Frame, OPEN,
    PROTOCOL, PUBLISH, QUEUE_DECLARE, START_OK, UNBLOCKED, short, split_long, split_short,
};
use std::{collections::HashSet, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::{mpsc, watch},
    task::JoinSet,
    time::interval,
};

/// A client that is blocked sends no heartbeat. A broker that blocks it does not miss them, but the one behind the proxy
/// does.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);

/// The code of ACCESS_REFUSED (the specification, "Constants").
const ACCESS_REFUSED: u16 = 403;

/// The side that a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Client,
    Server,
}

pub(super) struct Link {
    to_client: OwnedWriteHalf,
    to_server: OwnedWriteHalf,
    state: watch::Receiver<State>,
    shared: Arc<Shared>,
    login: String,
    /// The client has announced that it reads `connection.blocked`.
    reads_blocked: bool,
    /// What the client has sent since it is blocked.
    held: Option<Vec<Frame>>,
    /// Channel and tag of each subscription.
    subscriptions: Vec<(u16, Vec<u8>)>,
    /// Channels that the proxy has closed, and the side that has not confirmed it yet.
    closing: HashSet<(Side, u16)>,
}

/// Carries a connection until one side ends it, or the proxy does.
pub(super) async fn carry(
    client: TcpStream,
    server: TcpStream,
    state: watch::Receiver<State>,
    shared: Arc<Shared>,
) {
    let (mut from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut link = Link {
        to_client,
        to_server,
        state,
        shared,
        login: String::new(),
        reads_blocked: false,
        held: None,
        subscriptions: Vec::new(),
        closing: HashSet::new(),
    };
    let mut protocol = [0; PROTOCOL.len()];
    if from_client.read_exact(&mut protocol).await.is_err()
        || link.to_server.write_all(&protocol).await.is_err()
    {
        return;
    }
    let (sender, frames) = mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    readers.spawn(read(Side::Client, from_client, sender.clone()));
    readers.spawn(read(Side::Server, from_server, sender));
    // An error is the end of the connection, which is what tests are about.
    let _ = link.run(frames).await;
}

/// A frame and the side that sent it; `None` is the end of that side.
type FromSide = (Side, Option<Frame>);

async fn read(side: Side, from: impl AsyncRead + Unpin, sender: mpsc::UnboundedSender<FromSide>) {
    let mut from = BufReader::new(from);
    loop {
        let frame = Frame::read(&mut from).await.ok();
        let is_end = frame.is_none();
        if sender.send((side, frame)).is_err() || is_end {
            return;
        }
    }
}

impl Link {
    async fn run(&mut self, mut frames: mpsc::UnboundedReceiver<FromSide>) -> io::Result<()> {
        let State {
            era, mut cancelled, ..
        } = *self.state.borrow_and_update();
        let mut heartbeat = interval(HEARTBEAT_EVERY);
        loop {
            tokio::select! {
                frame = frames.recv() => match frame {
                    Some((Side::Client, Some(frame))) => self.on_client(frame).await?,
                    Some((Side::Server, Some(frame))) => self.on_server(frame).await?,
                    Some((_, None)) | None => return Ok(()),
                },
                changed = self.state.changed() => {
                    let state = *self.state.borrow_and_update();
                    if changed.is_err() || state.era != era {
                        return Ok(());
                    }
                    if !state.is_blocked {
                        self.unblock().await?;
                    }
                    if state.cancelled != cancelled {
                        cancelled = state.cancelled;
                        self.cancel().await?;
                    }
                }
                _ = heartbeat.tick(), if self.held.is_some() => {
                    Frame::heartbeat().write(&mut self.to_server).await?;
                }
            }
        }
    }

    async fn on_client(&mut self, frame: Frame) -> io::Result<()> {
        if self.closing.contains(&(Side::Client, frame.channel)) {
            if frame.is(CHANNEL_CLOSE_OK) {
                self.closing.remove(&(Side::Client, frame.channel));
            }
            return Ok(());
        }
        let State {
            rule, is_blocked, ..
        } = *self.state.borrow();
        if frame.is(START_OK) {
            self.reads_blocked = contains(frame.arguments(), b"connection.blocked");
            self.login = login(&frame).unwrap_or_default();
        }
        if frame.is(OPEN) {
            self.shared.seen().connections += 1;
        }
        if frame.is(PUBLISH) && is_blocked && self.reads_blocked && self.held.is_none() {
            self.shared.seen().blocked += 1;
            self.held = Some(Vec::new());
            let reason = Frame::method(0, BLOCKED, &short(b"low on memory"));
            reason.write(&mut self.to_client).await?;
        }
        if frame.is(CHANNEL_CLOSE) {
            let closed = frame.channel;
            self.subscriptions.retain(|(channel, _)| *channel != closed);
        }
        if let Some(held) = &mut self.held {
            held.push(frame);
            return Ok(());
        }
        match passively_declared(&frame) {
            Some(object) if !self.shared.may_look(rule, &self.login, &object) => {
                return self.refuse(&frame, &object).await;
            }
            _ => {}
        }
        if frame.is(PUBLISH) {
            self.shared.seen().published += 1;
        }
        frame.write(&mut self.to_server).await
    }

    async fn on_server(&mut self, frame: Frame) -> io::Result<()> {
        if self.closing.contains(&(Side::Server, frame.channel)) {
            if frame.is(CHANNEL_CLOSE_OK) {
                self.closing.remove(&(Side::Server, frame.channel));
            }
            return Ok(());
        }
        if frame.is(CONSUME_OK)
            && let Some((tag, _)) = split_short(frame.arguments())
        {
            self.shared.seen().subscriptions += 1;
            self.subscriptions.push((frame.channel, tag.to_vec()));
        }
        frame.write(&mut self.to_client).await
    }

    /// Cancels in the client's name, and asks for no reply that would tell the client.
    async fn cancel(&mut self) -> io::Result<()> {
        for (channel, tag) in self.subscriptions.drain(..) {
            let no_wait = [&short(&tag)[..], &[1]].concat();
            let cancel = Frame::method(channel, CANCEL, &no_wait);
            cancel.write(&mut self.to_server).await?;
        }
        Ok(())
    }

    /// Closes the channel on both sides, as the broker does when it refuses a method.
    async fn refuse(&mut self, frame: &Frame, object: &str) -> io::Result<()> {
        let login = &self.login;
        let refused = format!("{login} {object}");
        self.shared.seen().refused.push(refused);
        let text = format!("ACCESS_REFUSED - access to '{object}' refused for user '{login}'");
        let arguments = [
            &ACCESS_REFUSED.to_be_bytes()[..],
            &short(text.as_bytes()),
            &frame.payload[..4],
        ]
        .concat();
        let close = Frame::method(frame.channel, CHANNEL_CLOSE, &arguments);
        for side in [Side::Client, Side::Server] {
            self.closing.insert((side, frame.channel));
        }
        close.write(&mut self.to_client).await?;
        close.write(&mut self.to_server).await
    }

    async fn unblock(&mut self) -> io::Result<()> {
        let Some(held) = self.held.take() else {
            return Ok(());
        };
        let unblocked = Frame::method(0, UNBLOCKED, &[]);
        unblocked.write(&mut self.to_client).await?;
        for frame in held {
            self.on_client(frame).await?;
        }
        Ok(())
    }
}

/// The object that a method declares passively (the specification, `queue.declare` and `exchange.declare`).
fn passively_declared(frame: &Frame) -> Option<String> {
    let reserved = 2;
    let (name, rest) = split_short(frame.arguments().get(reserved..)?)?;
    let flags = if frame.is(QUEUE_DECLARE) {
        rest
    } else if frame.is(EXCHANGE_DECLARE) {
        split_short(rest)?.1
    } else {
        return None;
    };
    let is_passive = flags.first()? & 1 == 1;
    is_passive.then(|| String::from_utf8_lossy(name).into_owned())
}

/// The user of a PLAIN log-in: client properties, mechanism, then `\0user\0password`.
fn login(start_ok: &Frame) -> Option<String> {
    let (_properties, rest) = split_long(start_ok.arguments())?;
    let (_mechanism, rest) = split_short(rest)?;
    let (response, _) = split_long(rest)?;
    let user = response.split(|byte| *byte == 0).nth(1)?;
    Some(String::from_utf8_lossy(user).into_owned())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
