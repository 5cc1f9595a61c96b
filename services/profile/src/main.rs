//! profile-service.
fn main() {}
