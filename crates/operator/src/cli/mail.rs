//! `medtrack mail`.

use super::table::Columns;
use crate::{endpoints::Endpoints, mails, person};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use mail::admin::{MailFilter, MailRow};
use uuid::Uuid;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Mail {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Without a verb: `mail list`.
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List mails, the newest first.
    #[command(
        after_help = "Examples:\n  medtrack mail list\n  medtrack mail list --state failed\n  \
                      medtrack mail list --to amina@example.org --json"
    )]
    List(List),
    /// Show what became of one mail. Its text and its link are stored nowhere.
    #[command(after_help = "Example:\n  medtrack mail show 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Show {
        /// The mail's id, as `mail list` prints it.
        id: Uuid,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Have a mail sent again, with a new link.
    #[command(after_help = "Example:\n  medtrack mail resend 01a20942-4f9c-77ab-96e5-4bc61d4632b2")]
    Resend {
        /// The mail's id, as `mail list` prints it.
        id: Uuid,
        /// Your name, which the mail's row keeps; without it MEDTRACK_OPERATOR, or your login.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only mails in this state.
    #[arg(long, value_parser = PossibleValuesParser::new(["queued", "sending", "sent", "failed", "unknown"]))]
    state: Option<String>,
    /// Only mails to this address.
    #[arg(long, value_name = "EMAIL")]
    to: Option<String>,
    /// Print at most so many, the newest first.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Mail {
    pub(super) async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        match self.verb.unwrap_or(Verb::List(self.list)) {
            Verb::List(list) => list.run(endpoints).await,
            Verb::Show { id, json } => show(&mails::show(endpoints, id).await?, json),
            Verb::Resend { id, by } => {
                let person = person::name(by.as_deref(), &endpoints.command_line)?;
                mails::resend(endpoints, id, &person).await?;
                say!("The mail is sent again, with a new link if it has one.");
                say!("{}", endpoints.advice(&format!("mail show {id}")));
                Ok(())
            }
        }
    }
}

impl List {
    async fn run(self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let filter = MailFilter {
            state: self.state,
            recipient: self.to,
            ..MailFilter::default()
        };
        let rows = mails::list(endpoints, &filter, self.limit).await?;
        let columns = Columns {
            names: &["WRITTEN (UTC)", "KIND", "TO", "STATE", "TRIES", "MAIL"],
            none: "No mail.",
            cells: |row: &MailRow| {
                vec![
                    row.created_at.format("%m-%d %H:%M").to_string(),
                    row.kind.clone(),
                    row.recipient.clone().unwrap_or_default(),
                    row.state.clone(),
                    row.tries.to_string(),
                    row.id.to_string(),
                ]
            },
        };
        columns.print(&rows, self.json)
    }
}

fn show(row: &MailRow, json: bool) -> anyhow::Result<()> {
    if json {
        say!("{}", super::text::json(row)?);
        return Ok(());
    }
    let time =
        |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let lines = [
        ("kind", Some(format!("{} ({})", row.kind, row.language))),
        ("user", Some(row.user_id.to_string())),
        ("to", row.recipient.clone()),
        ("written", Some(time(row.created_at))),
        ("state", Some(row.state.clone())),
        ("next try", row.due_at.map(time)),
        ("ended", row.finished_at.map(time)),
        ("tries", Some(row.tries.to_string())),
        (
            "copies",
            (row.unanswered > 0).then(|| format!("{} may have arrived besides", row.unanswered)),
        ),
        (
            "failure",
            row.failure
                .as_deref()
                .map(|code| mails::failure(code).to_owned()),
        ),
        ("reason", row.reason.clone()),
        (
            "resent",
            (row.resends > 0).then(|| {
                let by = row.resent_by.as_deref().unwrap_or_default();
                format!("{} times, the last time by {by}", row.resends)
            }),
        ),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            say!("{name:<10}{}", super::text::line(&value));
        }
    }
    Ok(())
}
