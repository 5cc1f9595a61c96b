//! auth-service from outside: the real binary, a real database, a real broker.

mod accounts;
mod me;
mod openapi;
mod operators;
