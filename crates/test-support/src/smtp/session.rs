//! One connection to the mail server.

use super::{Failure, KeptMail, State, Step, lock};
use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;

/// A connection, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Wire for S {}

pub(super) struct Session {
    pub(super) stream: BufReader<Box<dyn Wire>>,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) released: Arc<Semaphore>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) login: Option<String>,
    pub(super) offers_tls: bool,
}

/// What follows a part of a session.
#[derive(PartialEq)]
enum Next {
    Tls,
    End,
}

/// The client or a fault ended the connection.
pub(super) struct Ended;

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Session {
    pub(super) async fn serve(mut self, tls: &TlsAcceptor) -> Result<(), Ended> {
        self.answer(Step::Greeting, "220 mail.example ready")
            .await?;
        while self.run().await? == Next::Tls {
            let encrypted = tls.accept(self.stream.into_inner()).await?;
            self.stream = BufReader::new(Box::new(encrypted));
            self.offers_tls = false;
        }
        Ok(())
    }

    async fn run(&mut self) -> Result<Next, Ended> {
        loop {
            let line = self.line().await?;
            let word = line.split([' ', ':']).next().unwrap_or_default();
            match word.to_ascii_uppercase().as_str() {
                "EHLO" | "HELO" => {
                    let tls = if self.offers_tls {
                        "250-STARTTLS\r\n"
                    } else {
                        ""
                    };
                    let offers = format!("250-mail.example\r\n{tls}250-SMTPUTF8\r\n250 AUTH PLAIN");
                    self.answer(Step::Ehlo, &offers).await?;
                }
                "STARTTLS" => {
                    self.write("220 go on").await?;
                    return Ok(Next::Tls);
                }
                "AUTH" => {
                    self.login = line.split(' ').nth(2).map(str::to_owned);
                    self.answer(Step::Auth, "235 welcome").await?;
                }
                "MAIL" => {
                    self.from = address(&line);
                    self.answer(Step::Mail, "250 fine").await?;
                }
                "RCPT" => {
                    self.to = address(&line);
                    self.answer(Step::Rcpt, "250 fine").await?;
                }
                "DATA" => {
                    if self.answer(Step::Data, "354 go on").await? {
                        self.text().await?;
                    }
                }
                "QUIT" => {
                    self.answer(Step::Quit, "221 bye").await?;
                    return Ok(Next::End);
                }
                _ => self.write("502 what?").await?,
            }
        }
    }

    async fn text(&mut self) -> Result<(), Ended> {
        let mut text = String::new();
        loop {
            let line = self.line().await?;
            if line == "." {
                break;
            }
            text += line.strip_prefix('.').unwrap_or(&line);
            text += "\r\n";
        }
        let mut mail = KeptMail {
            from: self.from.clone(),
            to: self.to.clone(),
            text,
            answered: true,
            login: self.login.clone(),
        };
        match self.next_failure(Step::Text) {
            Some(Failure::KeepAndCut) => {
                mail.answered = false;
                lock(&self.state).mails.push(mail);
                Err(Ended)
            }
            Some(fault) if fault != Failure::Hold => self.act(fault).await,
            held => {
                if held.is_some() {
                    self.wait().await;
                }
                lock(&self.state).mails.push(mail);
                self.write("250 taken").await
            }
        }
    }

    /// Answers, or does what a fault wants. Returns whether the answer was the usual one.
    async fn answer(&mut self, step: Step, usual: &str) -> Result<bool, Ended> {
        match self.next_failure(step) {
            Some(Failure::Hold) => self.wait().await,
            Some(fault) => return self.act(fault).await.map(|()| false),
            None => {}
        }
        self.write(usual).await.map(|()| true)
    }

    async fn wait(&self) {
        let permit = self.released.acquire().await;
        permit.expect("the semaphore is not closed").forget();
    }

    fn next_failure(&self, step: Step) -> Option<Failure> {
        let mut state = lock(&self.state);
        let (at, fault) = *state.faults.front()?;
        if at == step {
            state.faults.pop_front();
            return Some(fault);
        }
        None
    }

    async fn act(&mut self, fault: Failure) -> Result<(), Ended> {
        match fault {
            Failure::Code(code) => {
                let answer = format!("{code} <{}>: no, said the test", self.to);
                self.write(&answer).await
            }
            Failure::Hold | Failure::Stall => pending().await,
            Failure::Cut | Failure::KeepAndCut => Err(Ended),
        }
    }

    async fn line(&mut self) -> Result<String, Ended> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(Ended);
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    async fn write(&mut self, line: &str) -> Result<(), Ended> {
        self.stream
            .write_all(format!("{line}\r\n").as_bytes())
            .await?;
        Ok(self.stream.flush().await?)
    }
}

/// The address in `MAIL FROM:<a@b.org> …`.
fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap_or_default();
    rest.split('>').next().unwrap_or_default().to_owned()
}
