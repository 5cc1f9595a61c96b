//! `medtrack secrets`.

use crate::secrets::{self, MAIL_URL};
use clap::{Args, builder::PossibleValuesParser};
use std::path::PathBuf;

/// How the commands of a production stack begin.
const COMPOSE: &str = "docker-compose -f docker-compose.yml -f docker-compose.production.yml";

#[derive(Debug, Args)]
pub(super) struct Secrets {
    /// The directory of the secrets.
    dir: PathBuf,
    /// Keep the existing secrets, and make those that this version also needs.
    #[arg(long)]
    add: bool,
    /// Also make a login for a service of another system that publishes events; may be repeated.
    #[arg(long = "publisher", value_name = "SERVICE",
          value_parser = PossibleValuesParser::new(secrets::publishers()))]
    publishers: Vec<String>,
}

impl Secrets {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let dir = self.dir.display();
        let known = secrets::publishers().into_iter();
        let publishers: Vec<&'static str> = known
            .filter(|publisher| self.publishers.iter().any(|given| given == publisher))
            .collect();
        if !self.add {
            secrets::make(&self.dir, &publishers)?;
            say!("Made {dir}. Keep a copy where the backups are.");
            say!("{dir}/{MAIL_URL} says none: write the address of the mail server there.");
            say!("try: {COMPOSE} up -d");
            return Ok(());
        }
        let added = secrets::add(&self.dir, &publishers)?;
        if added.is_empty() {
            say!("{dir} has everything that this version needs.");
            return Ok(());
        }
        for name in &added {
            say!("Wrote {dir}/{name}");
        }
        say!("Keep a copy where the backups are.");
        if added.iter().any(|name| name == MAIL_URL) {
            say!("{dir}/{MAIL_URL} says none: write the address of the mail server there.");
        }
        say!("try: {COMPOSE} up -d");
        if added.iter().any(|name| name == secrets::DEFINITIONS) {
            say!("     {COMPOSE} restart rabbitmq, which reads its logins when it starts");
        }
        Ok(())
    }
}
