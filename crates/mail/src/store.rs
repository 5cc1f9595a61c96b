//! SQL over the table `mail`. Every function fails with the database's error.

use crate::content::{Arguments, Content, Language, Mail};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// Writes a mail, in the transaction of the change that it is about. A worker sends it after the commit. Returns its id.
///
/// # Errors
/// Fails with the database's error.
pub async fn enqueue(connection: &mut PgConnection, mail: &Mail<'_>) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    let arguments = Arguments {
        name: mail.name.to_owned(),
        content: mail.content.clone(),
    };
    let arguments =
        serde_json::to_value(arguments).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "insert into mail (id, user_id, kind, recipient, language, arguments) values ($1, $2, $3, $4, $5, $6)",
        id,
        mail.user_id,
        mail.content.kind(),
        mail.recipient,
        mail.language.code(),
        arguments
    )
    .execute(connection)
    .await?;
    Ok(id)
}

/// Deletes the mails of a user, in the transaction that deletes the user. One that a worker has in hand is not sent if its
/// text has not been sent yet.
///
/// # Errors
/// Fails with the database's error.
pub async fn erase(connection: &mut PgConnection, user_id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from mail where user_id = $1", user_id)
        .execute(connection)
        .await?;
    Ok(())
}

/// A mail that this worker has leased.
#[derive(Debug)]
pub(crate) struct Leased {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) kind: String,
    pub(crate) recipient: String,
    pub(crate) language: Language,
    pub(crate) name: String,
    pub(crate) content: Content,
    /// How often it was tried, this try included.
    pub(crate) tries: u32,
    pub(crate) resends: u32,
    /// So many tries before may have arrived.
    pub(crate) unanswered: u32,
    /// Until then no other worker takes it.
    pub(crate) lease: DateTime<Utc>,
}

/// A row that was leased.
pub(crate) enum Claim {
    /// A mail to be sent.
    Mail(Box<Leased>),
    /// The arguments cannot be read, or are not there any more.
    Unreadable { id: Uuid, lease: DateTime<Utc> },
}

impl Claim {
    /// The row, and the lease that owns it.
    pub(crate) fn key(&self) -> (Uuid, DateTime<Utc>) {
        match self {
            Self::Mail(mail) => (mail.id, mail.lease),
            Self::Unreadable { id, lease } => (*id, *lease),
        }
    }
}

/// Leases the mail that is due for the longest time. It takes only kinds that this version knows: while versions change,
/// an older worker leaves a new kind to the newer one.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    lease: Duration,
) -> sqlx::Result<Option<Claim>> {
    let kinds = Content::KINDS.map(str::to_owned);
    let row = sqlx::query!(
        r#"update mail set state = 'sending', tries = tries + 1, data_at = null,
               leased_until = now() + make_interval(secs => $1)
           where id = (select id from mail
                       where state in ('queued', 'unknown') and due_at <= now() and kind = any($2)
                       order by due_at limit 1 for update skip locked)
           returning id, user_id, kind, recipient, language, arguments, tries, resends,
                     unanswered, leased_until as "lease!""#,
        lease.as_secs_f64(),
        &kinds
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let arguments = row.arguments.map(serde_json::from_value::<Arguments>);
        let (Some(recipient), Some(Ok(arguments))) = (row.recipient, arguments) else {
            return Claim::Unreadable {
                id: row.id,
                lease: row.lease,
            };
        };
        Claim::Mail(Box::new(Leased {
            id: row.id,
            user_id: row.user_id,
            kind: row.kind,
            recipient,
            language: Language::of(&row.language),
            name: arguments.name,
            content: arguments.content,
            tries: row.tries.unsigned_abs(),
            resends: row.resends.unsigned_abs(),
            unanswered: row.unanswered.unsigned_abs(),
            lease: row.lease,
        }))
    }))
}

/// Notes that the text of a mail is sent from now on, and renews its lease. `None`: the row is not this worker's any
/// more, so the text must not be sent.
pub(crate) async fn begin_text(
    connection: &mut PgConnection,
    id: Uuid,
    lease: DateTime<Utc>,
    renewed: Duration,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        r#"update mail set data_at = now(), leased_until = now() + make_interval(secs => $3)
           where id = $1 and leased_until = $2 returning leased_until as "lease!""#,
        id,
        lease,
        renewed.as_secs_f64()
    )
    .fetch_optional(connection)
    .await
}

/// Puts off a mail that could not be prepared.
pub(crate) async fn postpone(
    connection: &mut PgConnection,
    id: Uuid,
    pause: Duration,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update mail set due_at = now() + make_interval(secs => $2) where id = $1 and state in ('queued', 'unknown')",
        id,
        pause.as_secs_f64()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What became of a try.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server accepted the mail.
    Sent,
    /// It is not tried again.
    Failed {
        failure: &'static str,
        reason: String,
    },
    /// It is tried again after a pause.
    Again {
        failure: &'static str,
        reason: String,
        pause: Duration,
    },
    /// It may have arrived: in this try, when it is `unanswered`, or in one before. It is tried again after a pause; without
    /// one, it is not.
    Unknown {
        failure: &'static str,
        reason: String,
        pause: Option<Duration>,
        unanswered: bool,
    },
}

impl Outcome {
    /// The state that the row gets.
    pub(crate) const fn state(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed { .. } => "failed",
            Self::Again { .. } => "queued",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Records what became of a try, if the lease is still this worker's.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    (id, lease): (Uuid, DateTime<Utc>),
    outcome: &Outcome,
) -> sqlx::Result<()> {
    let (failure, reason, pause, unanswered) = match outcome {
        Outcome::Sent => (None, None, None, false),
        Outcome::Failed { failure, reason } => (Some(*failure), Some(reason), None, false),
        Outcome::Again {
            failure,
            reason,
            pause,
        } => (Some(*failure), Some(reason), Some(*pause), false),
        Outcome::Unknown {
            failure,
            reason,
            pause,
            unanswered,
        } => (Some(*failure), Some(reason), *pause, *unanswered),
    };
    sqlx::query!(
        "update mail set state = $3, failure = $4, reason = $5, leased_until = null, unanswered = unanswered + $7,
             due_at = coalesce(now() + make_interval(secs => $6), 'infinity'),
             finished_at = case when $3 in ('sent', 'failed') then now() end
         where id = $1 and leased_until = $2",
        id,
        lease,
        outcome.state(),
        failure,
        reason,
        pause.map(|pause| pause.as_secs_f64()),
        i32::from(unanswered)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes back the rows of workers that ended: their leases have passed. One whose text was being sent may have arrived.
/// Returns how many there were of these.
pub(crate) async fn take_back(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let rows = sqlx::query_scalar!(
        r#"update mail set state = case when data_at is null then 'queued' else 'unknown' end,
               unanswered = unanswered + case when data_at is null then 0 else 1 end,
               failure = 'worker_ended', reason = 'the process that sent it ended', due_at = now(), leased_until = null
           where id = any(array(select id from mail where state = 'sending' and leased_until < now()
                                for update skip locked))
           returning data_at is not null as "unanswered!""#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter(|unanswered| *unanswered).count() as u64)
}
