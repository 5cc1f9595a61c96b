//! One try to send one mail.

use super::{Ready, Worker, count};
use crate::{
    render::{self, Frame},
    store::{self, Leased, Outcome},
    transport::{self, Failure, FailureKind, Smtp, Transport},
};
use chrono::{DateTime, Utc};
use lettre::Message;
use rand::RngExt as _;
use secrecy::ExposeSecret as _;
use service_kit::backoff::Backoff;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// How often a mail is tried: about three days.
const MOST_TRIES: u32 = 80;
/// The most characters that are kept of what a server said.
const REASON: usize = 300;

impl Worker {
    pub(super) async fn deliver(&self, ready: Ready) {
        let Ready { mail, secret } = ready;
        let frame = Frame {
            from: &self.shared.from,
            public_url: &self.shared.public_url,
            recipient: &mail.recipient,
            name: &mail.name,
            language: mail.language,
            secret: secret.as_ref().map(|secret| secret.expose_secret()),
            message_id: message_id(mail.id, mail.resends),
        };
        let mut lease = mail.lease;
        let outcome = match render::message(&mail.content, &frame) {
            Ok(message) => match self.send(&mail, &message, &mut lease).await {
                Some(outcome) => outcome,
                // The row belongs to another worker, or is erased.
                None => return,
            },
            Err(error) => Outcome::Failed {
                failure: "not_rendered",
                reason: error.to_string(),
            },
        };
        self.settle(&mail, lease, outcome).await;
    }

    /// Sends a message. `None`: the mail is not this worker's any more. `lease` is renewed before the text is sent.
    async fn send(
        &self,
        mail: &Leased,
        message: &Message,
        lease: &mut DateTime<Utc>,
    ) -> Option<Outcome> {
        let text = message.formatted();
        let sent = match &self.shared.transport {
            Transport::Smtp(smtp) => self.send_to(smtp, mail, (message, &text), lease).await?,
            Transport::Files(dir) => {
                let name = format!("{}-{}", mail.kind, mail.id);
                let written = transport::write(dir, &name, &text).await;
                written.map_err(|error| Failure {
                    kind: FailureKind::Unreachable,
                    reason: format!("{}: {error}", dir.display()),
                })
            }
            Transport::Off | Transport::Waiting => return None,
        };
        Some(match sent {
            Ok(()) => Outcome::Sent,
            Err(failure) => self.outcome(failure, mail),
        })
    }

    async fn send_to(
        &self,
        smtp: &Smtp,
        mail: &Leased,
        (message, text): (&Message, &[u8]),
        lease: &mut DateTime<Utc>,
    ) -> Option<Result<(), Failure>> {
        let limits = &self.shared.limits;
        let session = match smtp.begin(message.envelope(), limits).await {
            Ok(session) => session,
            Err(failure) => return Some(Err(failure)),
        };
        let begun = async {
            let mut connection = self.pool.acquire().await?;
            store::begin_text(&mut connection, mail.id, *lease, limits.lease).await
        };
        match begun.await {
            Ok(renewed) => *lease = renewed?,
            // What is not noted is not sent: the lease ends, and the mail is tried again.
            Err(error) => {
                tracing::warn!(mail_id = %mail.id, "A mail was not sent, because the database did not answer: {error}");
                return None;
            }
        }
        Some(session.text(text).await)
    }

    /// What a failure means for the mail.
    fn outcome(&self, failure: Failure, mail: &Leased) -> Outcome {
        let reason = kept(&failure.reason, &mail.recipient);
        let pause = (mail.tries < MOST_TRIES).then(|| self.pause(mail.tries));
        let (failure, may_have_arrived) = match failure.kind {
            FailureKind::Refused => {
                let failure = "refused";
                return Outcome::Failed { failure, reason };
            }
            FailureKind::Unanswered => {
                return Outcome::Unknown {
                    failure: "unanswered",
                    reason,
                    pause,
                    unanswered: true,
                };
            }
            FailureKind::Unreachable => ("unreachable", mail.unanswered > 0),
            FailureKind::SetUp => ("set_up", mail.unanswered > 0),
            FailureKind::Deferred => ("deferred", mail.unanswered > 0),
        };
        match pause {
            Some(pause) => Outcome::Again {
                failure,
                reason,
                pause,
            },
            None if may_have_arrived => Outcome::Unknown {
                failure,
                reason,
                pause,
                unanswered: false,
            },
            None => Outcome::Failed { failure, reason },
        }
    }

    /// The pause after so many tries.
    fn pause(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let pause = self.shared.limits.pause.saturating_mul(doubled);
        pause
            .min(LONGEST_PAUSE)
            .mul_f64(rand::rng().random_range(0.8..=1.0))
    }

    /// Records an outcome. A database that does not answer is asked again until the lease ends: a mail that was sent and
    /// not recorded would be sent once more.
    async fn settle(&self, mail: &Leased, lease: DateTime<Utc>, outcome: Outcome) {
        let mut backoff = Backoff::default();
        let never = CancellationToken::new();
        loop {
            backoff.wait(&never).await;
            let settled = async {
                let mut connection = self.pool.acquire().await?;
                store::settle(&mut connection, (mail.id, lease), &outcome).await
            };
            match settled.await {
                Ok(()) => break,
                Err(error) if Utc::now() >= lease => {
                    tracing::warn!(mail_id = %mail.id, "What became of a mail could not be recorded: {error}");
                    return;
                }
                Err(_) => {}
            }
        }
        count(outcome.state(), 1);
        log(mail, &outcome);
    }
}

/// Logs an outcome, without the words of the server: they may name the recipient.
fn log(mail: &Leased, outcome: &Outcome) {
    let (mail_id, kind, user_id) = (mail.id, &mail.kind, mail.user_id);
    match outcome {
        Outcome::Sent => tracing::info!(%mail_id, kind, %user_id, "Sent a mail"),
        Outcome::Again { failure, .. } => {
            tracing::warn!(%mail_id, kind, failure, tries = mail.tries, "A mail will be tried again");
        }
        Outcome::Unknown { failure, .. } => {
            tracing::warn!(%mail_id, kind, failure, tries = mail.tries, "A mail may have arrived: the server did not answer");
        }
        Outcome::Failed { failure, .. } => {
            tracing::warn!(%mail_id, kind, failure, "A mail was not sent; try: medtrack mail show {mail_id}");
        }
    }
}

/// The same at each try, so that mailboxes may recognise a copy; another one when a person had the mail sent again,
/// because a mailbox may hide a copy.
fn message_id(id: Uuid, resends: u32) -> Uuid {
    Uuid::new_v5(&id, format!("mail {resends}").as_bytes())
}

/// The words of a server as they are kept: on one line, without the recipient, and not too many.
fn kept(reason: &str, recipient: &str) -> String {
    let reason = reason.replace(recipient, "<recipient>");
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    reason.chars().map(printable).take(REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_server_name_no_recipient() {
        let said = "permanent error (550): <a@b.org>: no\0such user\r\n";
        assert_eq!(
            kept(said, "a@b.org"),
            "permanent error (550): <<recipient>>: no such user  "
        );
        assert_eq!(kept(&"é".repeat(1000), "a@b.org").chars().count(), REASON);
    }

    #[test]
    fn only_a_resent_mail_has_another_message_id() {
        let id = Uuid::now_v7();
        assert_eq!(message_id(id, 0), message_id(id, 0));
        assert_ne!(message_id(id, 0), message_id(id, 1));
    }
}
