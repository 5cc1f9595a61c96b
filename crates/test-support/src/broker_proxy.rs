//! A proxy before RabbitMQ that reads the frames of AMQP and behaves as another version of RabbitMQ, or as one in
//! trouble, on demand.

mod link;

use crate::port;
use regex_lite::Regex;
use serde_json::Value;
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Which permission a login needs on an object that it declares passively. RabbitMQ refuses other declarations itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassiveRule {
    /// *configure*, as in RabbitMQ 4.2.6 and 4.3.0.
    Configure,
    /// Any of the three, as in RabbitMQ from 4.3.1 on.
    Any,
}

/// What the proxy does, to the connections there are and to new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    rule: Option<PassiveRule>,
    /// Connections of an older era end.
    era: u64,
    /// No memory is left: a connection that publishes is blocked.
    is_blocked: bool,
    /// How often all subscriptions were cancelled.
    cancelled: u64,
}

/// What went through the proxy.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How many connections were opened.
    pub connections: usize,
    /// How many subscriptions were made.
    pub subscriptions: usize,
    /// How many messages reached the broker.
    pub published: usize,
    /// How many connections were notified that they are blocked.
    pub blocked: usize,
    /// What was refused, as login and object: `auth-service comm.events`.
    pub refused: Vec<String>,
}

/// What all connections share.
struct Shared {
    permissions: HashMap<String, Vec<Regex>>,
    seen: Mutex<Seen>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a login may declare an object passively. A login without permissions in the list may.
    fn may_look(&self, rule: Option<PassiveRule>, login: &str, object: &str) -> bool {
        let (Some(rule), Some(permissions)) = (rule, self.permissions.get(login)) else {
            return true;
        };
        let needed = match rule {
            PassiveRule::Configure => &permissions[..1],
            PassiveRule::Any => permissions,
        };
        needed.iter().any(|pattern| pattern.is_match(object))
    }
}

/// The way to RabbitMQ, frame by frame.
pub struct BrokerProxy {
    /// Where to connect instead of RabbitMQ.
    pub address: SocketAddr,
    state: watch::Sender<State>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl BrokerProxy {
    /// A proxy to `target` that passes everything on. `permissions` are those of RabbitMQ's definitions file.
    ///
    /// # Panics
    /// When it cannot listen, or when a permission is no regular expression.
    pub async fn to(target: SocketAddr, permissions: &Value) -> Self {
        let permissions = permissions.as_array().into_iter().flatten().map(|row| {
            let text = |name: &str| row[name].as_str().expect("a permission is a text");
            let patterns = ["configure", "write", "read"]
                .map(|kind| Regex::new(text(kind)).expect("a permission is a regular expression"));
            (text("user").to_owned(), patterns.into())
        });
        let shared = Arc::new(Shared {
            permissions: permissions.collect(),
            seen: Mutex::default(),
        });
        let address = port::free();
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let (state, watching) = watch::channel(State {
            rule: None,
            era: 0,
            is_blocked: false,
            cancelled: 0,
        });
        let task = tokio::spawn(accept(listener, target, watching, shared.clone()));
        Self {
            address,
            state,
            shared,
            task,
        }
    }

    /// Refuses passive declarations by this rule from now on.
    pub fn hold_to(&self, rule: PassiveRule) {
        self.state.send_modify(|state| state.rule = Some(rule));
    }

    /// Closes the connections there are; new ones are not affected.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.era += 1);
    }

    /// Behaves as a broker without memory, or as one that has memory again: a connection that publishes is notified that it
    /// is blocked, and from its message on nothing of it reaches the broker until this ends.
    pub fn set_blocked(&self, is_blocked: bool) {
        self.state
            .send_modify(|state| state.is_blocked = is_blocked);
    }

    /// Cancels the subscriptions there are, and their clients do not learn of it.
    pub fn cancel_subscriptions(&self) {
        self.state.send_modify(|state| state.cancelled += 1);
    }

    /// What went through until now.
    pub fn seen(&self) -> Seen {
        self.shared.seen().clone()
    }
}

impl Drop for BrokerProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    state: watch::Receiver<State>,
    shared: Arc<Shared>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let (state, shared) = (state.clone(), shared.clone());
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(target).await {
                link::carry(client, server, state, shared).await;
            }
        });
    }
}
