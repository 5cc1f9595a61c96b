//! A TCP proxy in the test's own process that breaks what goes through it, on demand.

use crate::port;
use std::{future::pending, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// The most bytes that are handed on at once.
const LARGEST: usize = 16 * 1024;

/// What a proxy does, to the connections there are and to new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Hands everything on.
    Pass,
    /// No process listens; connections are closed.
    Refuse,
    /// Sockets stay open and accept, but no byte arrives. What was sent arrives when it passes again.
    BlackHole,
    /// Connections are reset, new ones at once.
    Reset,
    /// Connections are closed, new ones after having been accepted.
    AcceptThenClose,
    /// Everything arrives, this much later in each direction.
    Latency(Duration),
    /// Everything arrives, at no more than so many bytes a second for each connection and direction.
    BytesPerSecond(u32),
}

impl Mode {
    fn lets_live(self) -> bool {
        !matches!(self, Mode::Refuse | Mode::Reset | Mode::AcceptThenClose)
    }
}

/// One edge of the system, to be broken.
#[derive(Debug)]
pub struct Proxy {
    /// Where to connect instead of the target.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct State {
    mode: Mode,
    /// Connections of an older era end.
    era: u64,
    /// Connections from before the last time are forgotten.
    forgotten: u64,
}

impl Proxy {
    /// A proxy to `target` that passes everything on.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn to(target: SocketAddr) -> Self {
        let address = port::free();
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let (state, watching) = watch::channel(State {
            mode: Mode::Pass,
            era: 0,
            forgotten: 0,
        });
        let task = tokio::spawn(accept(listener, address, target, watching));
        Self {
            address,
            state,
            task,
        }
    }

    /// Behaves like this from now on.
    pub fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// Resets the connections there are; new ones are not affected.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.era += 1);
    }

    /// Forgets the connections there are, as a firewall does that loses its table: from now on what either side sends
    /// vanishes, and neither side learns that the other one closes. New connections are not affected.
    pub fn forget(&self) {
        self.state.send_modify(|state| state.forgotten += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    target: SocketAddr,
    mut state: watch::Receiver<State>,
) {
    let mut listener = Some(listener);
    loop {
        let refuse = state.borrow_and_update().mode == Mode::Refuse;
        if refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(
                TcpListener::bind(address)
                    .await
                    .expect("the port was ours before"),
            );
        }
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => pending().await,
            }
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = accepted => if let Ok((client, _)) = accepted {
                tokio::spawn(carry(client, target, state.clone()));
            },
        }
    }
}

/// Carries one connection until it ends or the proxy ends it.
async fn carry(mut client: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let State { mode, era, .. } = *state.borrow();
    if mode.lets_live() {
        let Ok(mut server) = TcpStream::connect(target).await else {
            return;
        };
        let (upwards, downwards) = (state.clone(), state.clone());
        let carried = async {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            tokio::try_join!(
                pump(from_client, to_server, upwards),
                pump(from_server, to_client, downwards)
            )
        };
        tokio::select! {
            _ = carried => return,
            _ = state.wait_for(|state| state.era != era || !state.mode.lets_live()) => {}
        }
        end(&server, &state, era);
    }
    end(&client, &state, era);
}

/// Decides how the connection ends when it is dropped next.
fn end(stream: &TcpStream, state: &watch::Receiver<State>, era: u64) {
    let state = *state.borrow();
    if state.mode == Mode::Reset || state.era != era {
        // It fails on a dead socket only.
        let _ = stream.set_zero_linger();
    }
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let forgotten = state.borrow().forgotten;
    let mut buffer = vec![0; LARGEST];
    loop {
        let mode = state.borrow().mode;
        let read = from.read(&mut buffer[..chunk(mode)]).await;
        if state
            .wait_for(|state| state.mode != Mode::BlackHole)
            .await
            .is_err()
        {
            return Ok(());
        }
        let State {
            mode,
            forgotten: now,
            ..
        } = *state.borrow();
        if now != forgotten {
            if read.is_ok_and(|read| read > 0) {
                continue;
            }
            // The other side must not learn that this one has closed, as long as the proxy lives.
            while state.changed().await.is_ok() {}
            return Ok(());
        }
        let read = read?;
        match mode {
            Mode::Latency(latency) => sleep(latency).await,
            Mode::BytesPerSecond(rate) => {
                sleep(Duration::from_secs_f64(read as f64 / f64::from(rate))).await;
            }
            _ => {}
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// How many bytes are handed on at once. A slow link hands on a little at a time, so that it keeps its rate.
fn chunk(mode: Mode) -> usize {
    match mode {
        Mode::BytesPerSecond(rate) => (rate as usize / 20).clamp(1, LARGEST),
        _ => LARGEST,
    }
}
