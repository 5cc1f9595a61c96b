//! The configuration of a process that sends mails.

use crate::transport::{Smtp, Transport, authority};
use anyhow::{Context as _, bail};
use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::config::{self, Environment, EnvironmentConfig};
use std::path::PathBuf;

const MALFORMED: &str = "MAIL_URL is not of the form smtp://host:25, smtps://user:password@host:465, file:///directory or none";

/// How mails are sent.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Mail")]
pub struct MailConfig {
    /// The mail server: `smtps://user:password@host:465`, or `smtp://host:25`, which is encrypted when the server offers it;
    /// a password is sent encrypted only. `file:///directory` writes files, for development; `none` sends no mail. When
    /// unset, mails wait.
    #[arg(long, env = "MAIL_URL", hide_env_values = true, value_name = "URL")]
    pub mail_url: Option<SecretString>,

    /// File that holds the address of the mail server, instead of MAIL_URL.
    #[arg(
        long,
        env = "MAIL_URL_FILE",
        value_name = "PATH",
        conflicts_with = "mail_url"
    )]
    pub mail_url_file: Option<PathBuf>,

    /// The sender of the mails; mails that cannot be delivered come back there.
    #[arg(
        long,
        env = "MAIL_FROM",
        default_value = "MedTrack <no-reply@localhost>",
        value_name = "NAME <EMAIL>"
    )]
    pub mail_from: Mailbox,

    /// File with the certificate of an authority that is trusted besides the public ones, in PEM: such as that of the
    /// hospital, for its own mail server.
    #[arg(long, env = "TLS_CA_FILE", value_name = "PATH")]
    pub tls_ca_file: Option<PathBuf>,
}

impl MailConfig {
    /// Refuses in production what loses mails, or stores links where they can be read.
    ///
    /// # Errors
    /// When MAIL_URL is missing, malformed or names files, or MAIL_FROM is not set.
    pub fn check(&self, environment: &EnvironmentConfig) -> anyhow::Result<()> {
        let transport = self.transport()?;
        if environment.medtrack_env != Environment::Production {
            return Ok(());
        }
        match transport {
            Transport::Waiting => bail!(
                "MAIL_URL is missing, and MEDTRACK_ENV is production; set the address of a mail server, or none"
            ),
            Transport::Files(_) => bail!(
                "MAIL_URL names a directory, and MEDTRACK_ENV is production; set the address of a mail server, or none"
            ),
            Transport::Smtp(_) if self.mail_from.email.domain() == "localhost" => {
                bail!(
                    "MAIL_FROM is at localhost, and MEDTRACK_ENV is production; set an address that can get mails"
                )
            }
            Transport::Smtp(_) | Transport::Off => Ok(()),
        }
    }

    /// Whether mails leave this system: where they do not, no user can verify an address.
    ///
    /// # Errors
    /// When MAIL_URL is malformed, or its file cannot be read.
    pub fn is_set_up(&self) -> anyhow::Result<bool> {
        Ok(matches!(
            self.transport()?,
            Transport::Smtp(_) | Transport::Files(_)
        ))
    }

    /// Whether no mail is to be written at all.
    ///
    /// # Errors
    /// When MAIL_URL is malformed, or its file cannot be read.
    pub fn is_off(&self) -> anyhow::Result<bool> {
        Ok(matches!(self.transport()?, Transport::Off))
    }

    pub(crate) fn transport(&self) -> anyhow::Result<Transport> {
        let (value, file) = (self.mail_url.as_ref(), self.mail_url_file.as_deref());
        if value.is_none() && file.is_none() {
            return Ok(Transport::Waiting);
        }
        let url = config::secret("MAIL_URL", value, file)?;
        self.transport_of(url.expose_secret().trim())
    }

    /// Reads an address. The messages do not quote it, because it may hold a password.
    fn transport_of(&self, url: &str) -> anyhow::Result<Transport> {
        match url {
            "" => return Ok(Transport::Waiting),
            "none" => return Ok(Transport::Off),
            _ => {}
        }
        let url = reqwest::Url::parse(url).ok().context(MALFORMED)?;
        match url.scheme() {
            "file" => Ok(Transport::Files(
                url.to_file_path().ok().context(MALFORMED)?,
            )),
            "smtp" | "smtps" => {
                let authority = self.tls_ca_file.as_ref().map(|path| {
                    let pem = std::fs::read(path).map_err(anyhow::Error::from);
                    pem.and_then(|pem| authority(&pem))
                        .with_context(|| format!("TLS_CA_FILE: cannot read {}", path.display()))
                });
                let smtp = Smtp::new(&url, self.mail_from.email.domain(), authority.transpose()?);
                Ok(Transport::Smtp(Box::new(smtp.context(MALFORMED)?)))
            }
            _ => bail!(MALFORMED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mail_url: Option<&str>) -> MailConfig {
        MailConfig {
            mail_url: mail_url.map(|url| url.to_owned().into()),
            mail_url_file: None,
            mail_from: "MedTrack <no-reply@hospital.example>".parse().unwrap(),
            tls_ca_file: None,
        }
    }

    fn check(config: &MailConfig, medtrack_env: Environment) -> Result<(), String> {
        let checked = config.check(&EnvironmentConfig { medtrack_env });
        checked.map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn production_needs_a_mail_server_or_the_word_none() {
        for good in ["smtp://mail.example:25", "smtps://u:p@mail.example", "none"] {
            check(&config(Some(good)), Environment::Production).unwrap();
        }
        for bad in [None, Some(""), Some("file:///tmp/mail")] {
            let refused = check(&config(bad), Environment::Production).unwrap_err();
            assert!(refused.starts_with("MAIL_URL"), "{refused}");
            check(&config(bad), Environment::Development).unwrap();
        }
        let mut local = config(Some("smtp://mail.example"));
        local.mail_from = "a@localhost".parse().unwrap();
        let refused = check(&local, Environment::Production).unwrap_err();
        assert!(refused.starts_with("MAIL_FROM"), "{refused}");
    }

    #[test]
    fn a_malformed_address_is_refused_and_not_quoted() {
        for bad in [
            "mail.example:25",
            "http://hunter22@mail.example",
            "smtp://",
            "smtps://user:%ff@mail.example/hunter22",
        ] {
            let refused = check(&config(Some(bad)), Environment::Development).unwrap_err();
            assert!(
                refused.starts_with("MAIL_URL is not of the form") && !refused.contains("hunter22"),
                "{bad}: {refused}"
            );
        }
        let shown = format!("{:?}", config(Some("smtps://u:hunter22@mail.example")));
        assert!(!shown.contains("hunter22"), "{shown}");
    }

    #[test]
    fn mails_leave_the_system_only_with_an_address() {
        assert!(config(Some("smtp://mail.example")).is_set_up().unwrap());
        for without in [None, Some("none")] {
            assert!(!config(without).is_set_up().unwrap());
        }
    }
}
