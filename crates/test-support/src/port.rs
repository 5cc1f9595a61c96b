//! Free TCP ports on the loopback interface.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range that the system draws ports for outgoing connections from: a process that is restarted on
/// its port, or a client that knocks in vain, would meet one of those there now and then.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback address that nobody listens on, and that this process hands out once.
///
/// # Panics
/// When there is none.
pub fn free() -> SocketAddr {
    // Test binaries that run side by side begin apart.
    let offset = std::process::id().wrapping_mul(331);
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset) % COUNT;
        let port = u16::try_from(FIRST + next).expect("FIRST + COUNT is a port");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
