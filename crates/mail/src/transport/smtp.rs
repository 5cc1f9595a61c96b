//! A mail server. The worker talks to it in two steps, so that it can note in between that the text follows: only what
//! ends after that may have arrived without an answer.

use super::Limits;
use anyhow::Context as _;
use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        commands::{Data, Mail, Rcpt},
        extension::{ClientId, Extension, MailParameter},
        response::Severity,
    },
};
use percent_encoding::percent_decode_str;
use std::time::Duration;
use tokio::time::timeout;

/// How long the farewell to a server may take: the mail is settled already.
const QUIT: Duration = Duration::from_secs(1);

/// The address of a mail server, and how to log in there.
pub(crate) struct Smtp {
    host: String,
    port: u16,
    /// Whether the connection is encrypted from its first byte.
    implicit_tls: bool,
    credentials: Option<Credentials>,
    hello: ClientId,
    tls: TlsParameters,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a mail was not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) reason: String,
}

/// The kinds of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The server cannot be reached, or the connection ended before the text.
    Unreachable,
    /// The server refuses this system: the greeting, the log-in or the sender. A person must change the set-up; the mail
    /// is not at fault.
    SetUp,
    /// The server refuses the mail for now.
    Deferred,
    /// The server refuses the mail for good.
    Refused,
    /// The server got the whole mail, and no answer came.
    Unanswered,
}

impl Smtp {
    /// Reads an address; `None` when it is malformed.
    pub(crate) fn new(
        url: &reqwest::Url,
        hello: &str,
        authority: Option<Certificate>,
    ) -> Option<Self> {
        let implicit_tls = url.scheme() == "smtps";
        let host = url.host_str().filter(|host| !host.is_empty())?.to_owned();
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return None;
        }
        let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(Credentials::new(
                decoded(user)?,
                decoded(password.unwrap_or_default())?,
            )),
        };
        // The brackets of an IPv6 address belong to the URL.
        let name = host.trim_matches(['[', ']']).to_owned();
        let mut tls = TlsParameters::builder(name.clone());
        if let Some(authority) = authority {
            tls = tls.add_root_certificate(authority);
        }
        Some(Self {
            host: name,
            port: url.port().unwrap_or(if implicit_tls { 465 } else { 25 }),
            implicit_tls,
            credentials,
            hello: ClientId::Domain(hello.to_owned()),
            tls: tls.build().ok()?,
        })
    }

    /// Connects, and names the sender and the recipient of a mail. After it the server waits for the text.
    pub(crate) async fn begin(
        &self,
        envelope: &Envelope,
        limits: &Limits,
    ) -> Result<Session, Failure> {
        let connected = timeout(limits.connect, self.connect()).await;
        let connection = connected.unwrap_or_else(|_| Err(late("the log-in", limits.connect)))?;
        let mut session = Session {
            connection,
            limits: *limits,
        };
        let mut parameters = Vec::new();
        let mut addresses = envelope.to().iter().chain(envelope.from());
        if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
            if !session.supports(Extension::SmtpUtfEight) {
                return Err(Failure {
                    kind: FailureKind::Refused,
                    reason: "the mail server takes no address outside of ASCII".into(),
                });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let from = Mail::new(envelope.from().cloned(), parameters);
        session.command(from, FailureKind::SetUp).await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            session.command(to, FailureKind::Refused).await?;
        }
        session.command(Data, FailureKind::Refused).await?;
        Ok(session)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let set_up = |error| failure(&error, FailureKind::SetUp);
        let address = (self.host.as_str(), self.port);
        let implicit = self.implicit_tls.then(|| self.tls.clone());
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, None, &self.hello, implicit, None);
        let mut connection = connecting.await.map_err(set_up)?;
        if connection.can_starttls() {
            let starting = connection.starttls(self.tls.clone(), &self.hello);
            starting.await.map_err(set_up)?;
        }
        if let Some(credentials) = &self.credentials {
            if !connection.is_encrypted() {
                return Err(Failure {
                    kind: FailureKind::SetUp,
                    reason: "the mail server offers no encryption, so the password was not sent"
                        .into(),
                });
            }
            let login = connection.auth(DEFAULT_MECHANISMS, credentials);
            login.await.map_err(set_up)?;
        }
        Ok(connection)
    }
}

/// A connection on which the server waits for the text of a mail.
pub(crate) struct Session {
    connection: AsyncSmtpConnection,
    limits: Limits,
}

impl Session {
    fn supports(&self, extension: Extension) -> bool {
        self.connection.server_info().supports_feature(extension)
    }

    /// Sends a command. `refusal` is what a permanent refusal means.
    async fn command(
        &mut self,
        command: impl std::fmt::Display,
        refusal: FailureKind,
    ) -> Result<(), Failure> {
        let answer = timeout(self.limits.step, self.connection.command(command)).await;
        match answer {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error, refusal)),
            Err(_) => Err(late("an answer", self.limits.step)),
        }
    }

    /// Sends the text, and returns when the server has accepted it.
    pub(crate) async fn text(mut self, text: &[u8]) -> Result<(), Failure> {
        let unanswered = |reason| Failure {
            kind: FailureKind::Unanswered,
            reason,
        };
        let answer = timeout(self.limits.text, self.connection.message(text)).await;
        match answer {
            Ok(Ok(answer)) if answer.code().severity == Severity::PositiveCompletion => {
                // The server may close first: the mail is accepted in any case.
                let _ = timeout(QUIT, self.connection.quit()).await;
                Ok(())
            }
            Ok(Ok(answer)) => Err(unanswered(format!("the answer was {}", answer.code()))),
            Ok(Err(error)) if error.status().is_some() => {
                Err(failure(&error, FailureKind::Refused))
            }
            Ok(Err(error)) => Err(unanswered(error.to_string())),
            Err(_) => Err(unanswered(late("the answer", self.limits.text).reason)),
        }
    }
}

/// What an error before the answer to the text means. `refusal` is what a permanent refusal means.
fn failure(error: &Error, refusal: FailureKind) -> Failure {
    let kind = match error.status() {
        Some(_) if error.is_permanent() => refusal,
        Some(_) => FailureKind::Deferred,
        None => FailureKind::Unreachable,
    };
    let reason = error.to_string();
    Failure { kind, reason }
}

fn late(what: &str, limit: Duration) -> Failure {
    Failure {
        kind: FailureKind::Unreachable,
        reason: format!("{what} did not come within {} s", limit.as_secs_f64()),
    }
}

/// Reads the certificate of a site's own authority.
pub(crate) fn authority(pem: &[u8]) -> anyhow::Result<Certificate> {
    Certificate::from_pem(pem)
        .ok()
        .context("it holds no certificate")
}
