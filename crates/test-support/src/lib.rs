//! Real servers, real processes and real faults for tests.
//!
//! `./medtrack test` starts one private PostgreSQL and RabbitMQ for the whole run and puts their addresses into
//! the environment ([`servers`]). Each test then has a [`Database`] and a [`Vhost`] of its own, so that tests
//! may run in parallel and in any order. Tests wait for a condition ([`eventually`]) and never sleep for a guess.
//!
//! - [`database`], [`vhost`]: what a test owns on the servers, deleted when it ends; [`wire`] sends what no client library sends
//! - [`process`], [`proxy`]: real binaries, and the TCP links between them, which a test can break
//! - [`broker_proxy`]: the link to RabbitMQ, frame by frame: other versions of it, and a broker without memory
//! - [`smtp`]: a mail server that fails at any step
//! - [`stack`]: all services together; [`client`] speaks to them over HTTP
//! - [`tokens`]: reads access tokens, and signs such as auth-service would not issue
//! - [`openapi`]: holds a service to its OpenAPI document
//! - [`costs`]: statements and bytes of WAL of a database
//! - [`ledger`]: compares what clients were promised with the databases

pub mod broker_proxy;
pub mod client;
pub mod costs;
pub mod database;
mod frames;
pub mod ledger;
pub mod openapi;
pub mod port;
pub mod process;
pub mod proxy;
pub mod python;
pub mod servers;
pub mod smtp;
pub mod stack;
pub mod tokens;
pub mod vhost;
pub mod wait;
pub mod wire;

pub use broker_proxy::{BrokerProxy, PassiveRule};
pub use client::{Client, User};
pub use costs::Costs;
pub use database::Database;
pub use lapin::BasicProperties;
pub use ledger::Ledger;
pub use process::Process;
pub use proxy::{Mode, Proxy};
pub use smtp::SmtpServer;
pub use stack::{Links, Stack, Unit};
pub use tokens::Signer;
pub use vhost::{Message, Tap, Vhost};
pub use wait::eventually;
