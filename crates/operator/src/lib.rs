//! Functions for operators of a running system.
//!
//! Each module asks databases, RabbitMQ or processes and returns typed results; it prints nothing. [`cli`] has one
//! file for each verb: it calls the library, then prints.

mod audit;
mod broker;
mod catalogue;
mod checks;
pub mod cli;
mod command_line;
mod dead;
mod demo;
mod edit_distance;
mod endpoints;
mod http;
mod mails;
mod outbox;
mod person;
mod queues;
mod reconcile;
mod replay;
mod secrets;
mod topology;
mod trace;
mod views;
mod watch;
mod words;
