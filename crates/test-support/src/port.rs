//! Free TCP ports on the loopback interface.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the range from which the system takes ports for outgoing connections: one of those could occupy the port of a
/// process that restarts.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Returns a loopback address on which no process listens. It returns each address once.
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
