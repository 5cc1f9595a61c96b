//! The ways that mails leave the process.

mod files;
mod smtp;

pub(crate) use files::write;
pub(crate) use smtp::{Failure, FailureKind, Smtp, authority};

use std::{path::PathBuf, time::Duration};

/// Where mails go.
#[derive(Debug)]
pub(crate) enum Transport {
    /// To a mail server.
    Smtp(Box<Smtp>),
    /// Into files, for development.
    Files(PathBuf),
    /// Nowhere: each mail fails at once.
    Off,
    /// Nowhere yet: no address is set, and each mail waits.
    Waiting,
}

/// How long the worker waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection, with TLS and the log-in.
    pub connect: Duration,
    /// For the answer to each command.
    pub step: Duration,
    /// For the answer to the text. A server may look into a mail before it answers.
    pub text: Duration,
    /// How long a row belongs to a worker that has begun. It is longer than all that the worker waits for, and it is
    /// renewed before the text.
    pub lease: Duration,
    /// The pause between two looks for mails that are due.
    pub poll: Duration,
    /// The pause after a first try that did not succeed. It doubles, up to an hour.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            step: Duration::from_secs(30),
            text: Duration::from_secs(120),
            lease: Duration::from_secs(180),
            poll: Duration::from_secs(1),
            pause: Duration::from_secs(5),
        }
    }
}
