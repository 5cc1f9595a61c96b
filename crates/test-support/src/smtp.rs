//! A mail server in the test's own process. It keeps what it accepts, and fails where a test wants it to.

mod session;

use session::{Session, Wire};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{io::BufReader, net::TcpListener, sync::Semaphore, task::JoinHandle};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

/// The certificate of the authority that signed that of the server, which is for `localhost` and 127.0.0.1. The key of the
/// authority does not exist any more.
pub const AUTHORITY: &str = include_str!("../tls/authority.pem");

/// How the server encrypts its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    None,
    /// After the command STARTTLS.
    StartTls,
    /// From the first byte.
    Implicit,
}

/// What the server answers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The connection.
    Greeting,
    /// The name of the client.
    Ehlo,
    /// The log-in.
    Auth,
    /// The sender.
    Mail,
    /// The recipient.
    Rcpt,
    /// The announcement of the text.
    Data,
    /// The text, after its final dot.
    Text,
    /// The end.
    Quit,
}

impl Step {
    /// All of them, in the order of a mail.
    pub const ALL: [Self; 8] = [
        Self::Greeting,
        Self::Ehlo,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Text,
        Self::Quit,
    ];
}

/// What the server does instead of its usual answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Answers with this code.
    Code(u16),
    /// Answers as usual, after [`SmtpServer::release`].
    Hold,
    /// Never answers, and keeps the connection.
    Stall,
    /// Closes the connection.
    Cut,
    /// Keeps the mail, and closes the connection without an answer. Before the text it is as [`Failure::Cut`].
    KeepAndCut,
}

/// A mail that the server kept.
#[derive(Clone, Debug)]
pub struct KeptMail {
    /// From the envelope.
    pub from: String,
    /// From the envelope.
    pub to: String,
    /// With its headers, without the doubled dots of the protocol.
    pub text: String,
    /// Whether the client got the answer that it was accepted.
    pub answered: bool,
    /// The user name and the password of the log-in, as the client encoded them.
    pub login: Option<String>,
}

impl KeptMail {
    /// The value of a header, on one line.
    ///
    /// # Panics
    /// When the mail has no such header, or several.
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.text.split_once("\r\n\r\n").expect("a mail has a body");
        let unfolded = head.replace("\r\n ", " ");
        let start = format!("{name}: ");
        let mut values = unfolded
            .split("\r\n")
            .filter_map(|line| line.strip_prefix(&start));
        let value = values.next().unwrap_or_else(|| panic!("no {name}: {head}"));
        assert!(values.next().is_none(), "two {name}: {head}");
        value.to_owned()
    }
}

/// A mail server.
#[derive(Debug)]
pub struct SmtpServer {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    released: Arc<Semaphore>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<KeptMail>,
    faults: VecDeque<(Step, Failure)>,
    connections: usize,
}

impl SmtpServer {
    /// A server that accepts every mail, without encryption.
    pub async fn start() -> Self {
        Self::encrypted(Encryption::None).await
    }

    /// A server that accepts every mail.
    ///
    /// # Panics
    /// When it cannot listen.
    pub async fn encrypted(encryption: Encryption) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.expect("the system has a free port");
        let address = listener.local_addr().expect("it listens");
        let state = Arc::<Mutex<State>>::default();
        let released = Arc::new(Semaphore::new(0));
        let task = tokio::spawn(accept(
            listener,
            encryption,
            Arc::clone(&state),
            Arc::clone(&released),
        ));
        Self {
            address,
            state,
            released,
            task,
        }
    }

    /// Fails at a step, once for each call. Faults are used up in the order in which they were added: the second one
    /// counts only after the first one has happened.
    pub fn fail(&self, step: Step, fault: Failure) {
        lock(&self.state).faults.push_back((step, fault));
    }

    /// Lets one answer go that is held.
    pub fn release(&self) {
        self.released.add_permits(1);
    }

    /// Whether all faults have begun.
    pub fn has_failed(&self) -> bool {
        lock(&self.state).faults.is_empty()
    }

    /// The mails that it kept.
    pub fn mails(&self) -> Vec<KeptMail> {
        lock(&self.state).mails.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test panics while it looks")
}

async fn accept(
    listener: TcpListener,
    encryption: Encryption,
    state: Arc<Mutex<State>>,
    released: Arc<Semaphore>,
) {
    let tls = acceptor();
    while let Ok((stream, _)) = listener.accept().await {
        lock(&state).connections += 1;
        let tls = tls.clone();
        let (state, released) = (Arc::clone(&state), Arc::clone(&released));
        tokio::spawn(async move {
            let stream: Box<dyn Wire> = match encryption {
                Encryption::Implicit => Box::new(tls.accept(stream).await?),
                Encryption::None | Encryption::StartTls => Box::new(stream),
            };
            let session = Session {
                stream: BufReader::new(stream),
                state,
                released,
                from: String::new(),
                to: String::new(),
                login: None,
                offers_tls: encryption == Encryption::StartTls,
            };
            // A client that goes away is what some tests want.
            session.serve(&tls).await
        });
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../tls/server.key"));
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.expect("it is a certificate")],
            key.expect("it is a key"),
        );
    Arc::new(config.expect("the key is that of the certificate")).into()
}
