//! Who changes something, and why.

use crate::{endpoints::Endpoints, person};
use clap::Args;
use messaging::admin::Actor;

/// Who does it and why, for the audit.
#[derive(Debug, Args)]
pub(super) struct Who {
    /// Your name, for the audit; without it MEDTRACK_OPERATOR, or your login.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why, for the audit.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// The person who uses the command.
pub(super) struct Person {
    name: String,
    why: Option<String>,
}

impl Who {
    /// Fails where the name is not known.
    pub(super) fn person(self, endpoints: &Endpoints) -> anyhow::Result<Person> {
        let name = person::name(self.by.as_deref(), &endpoints.command_line)?;
        Ok(Person {
            name,
            why: self.why,
        })
    }
}

impl Person {
    pub(super) fn actor(&self) -> Actor<'_> {
        Actor {
            person: &self.name,
            why: self.why.as_deref(),
        }
    }
}
