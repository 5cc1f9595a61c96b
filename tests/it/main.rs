//! All services together, seen from outside, and the gateway before them.

mod authorisation;
mod chain;
mod changes;
mod convergence;
mod costs;
mod creation;
mod duplicates;
mod faults;
mod gateway;
mod languages;
mod no_effect;
mod poison;
mod revocation;
mod roles;
mod security;
mod shutdown;
mod walk;
mod watched;

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// Runs a test beside others.
async fn beside_others() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().await
}

/// Runs a test alone: it measures how long something takes, or it loads the whole machine.
async fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().await
}
