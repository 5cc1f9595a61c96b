//! comm-service.
fn main() {}
