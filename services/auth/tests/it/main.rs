//! auth-service from outside: the real binary, a real database, a real broker.

mod faults;
mod hostile;
mod login;
mod logs;
mod me;
mod openapi;
mod operators;
mod origins;
mod passwords;
mod registration;
mod sessions;
mod throttle;

use test_support::{Stack, Unit, stack::Links};

const LOGIN: &str = "/auth/api/v1/login";

async fn auth() -> Stack {
    let mut stack = Stack::prepare(Links::Direct).await;
    stack.start_units(&[Unit::Auth]).await;
    stack
}
